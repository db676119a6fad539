//! The thread that syncs the file ahead of the database for all who wait, so that nobody else waits for the disk.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::watch;

use crate::metrics::Metrics;

/// How far the file is on disk.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// Entries up to this number are.
    synced: u64,
    /// A sync failed: nothing counts as synced until the file was written anew.
    failed: bool,
}

/// How far the file is written, and how far it must be on disk.
#[derive(Debug, Default)]
struct Wanted {
    written: u64,
    synced: u64,
    closed: bool,
}

/// What those who write, who sync and who wait share.
#[derive(Debug)]
pub(in crate::store) struct Syncer {
    file: Mutex<Arc<File>>,
    wanted: Mutex<Wanted>,
    more: Condvar,
    /// Held while the file is synced, and while it is cut.
    at_it: Mutex<()>,
    mark: watch::Sender<Mark>,
}

/// Starts the thread; all entries up to `synced` are on disk.
pub(in crate::store) fn start(
    file: Arc<File>,
    synced: u64,
    metrics: Arc<Metrics>,
) -> io::Result<(Arc<Syncer>, JoinHandle<()>)> {
    let syncer = Arc::new(Syncer {
        file: Mutex::new(file),
        wanted: Mutex::new(Wanted {
            written: synced,
            synced,
            closed: false,
        }),
        more: Condvar::new(),
        at_it: Mutex::new(()),
        mark: watch::Sender::new(Mark {
            synced,
            failed: false,
        }),
    });
    let shared = Arc::clone(&syncer);
    let thread = std::thread::Builder::new()
        .name("syncer".into())
        .spawn(move || while shared.sync_next(&metrics) {})?;
    Ok((syncer, thread))
}

impl Syncer {
    /// Entries up to this number are written; `sync` when somebody will wait for them.
    pub(in crate::store) fn written(&self, number: u64, sync: bool) {
        let mut wanted = lock(&self.wanted);
        wanted.written = number;
        if sync {
            wanted.synced = number;
            self.more.notify_one();
        }
    }

    /// Waits until the entry with this number is on disk; false when it cannot be brought there.
    pub(in crate::store) async fn reached(&self, number: u64) -> bool {
        {
            let mut wanted = lock(&self.wanted);
            if wanted.synced < number {
                wanted.synced = number;
                self.more.notify_one();
            }
        }
        let mut mark = self.mark.subscribe();
        let reached = mark.wait_for(|mark| mark.failed || mark.synced >= number);
        reached.await.is_ok_and(|mark| !mark.failed)
    }

    /// Whether a sync failed.
    pub(in crate::store) fn failed(&self) -> bool {
        self.mark.borrow().failed
    }

    /// Keeps the thread from the file while `cut` writes it anew. All up to the number that it returns is on disk afterwards, in the
    /// file that it returns or in the database.
    pub(in crate::store) fn anew(
        &self,
        cut: impl FnOnce() -> io::Result<(u64, Arc<File>)>,
    ) -> io::Result<()> {
        let _at_it = lock(&self.at_it);
        let (synced, file) = cut()?;
        *lock(&self.file) = file;
        lock(&self.wanted).written = synced;
        let failed = false;
        self.mark.send_replace(Mark { synced, failed });
        Ok(())
    }

    /// Ends the thread.
    pub(in crate::store) fn close(&self) {
        lock(&self.wanted).closed = true;
        self.more.notify_one();
        // Whoever still waits waits for nothing.
        self.mark.send_modify(|mark| mark.failed = true);
    }

    /// Waits for the next entry that is to be synced, and syncs all that is written; false when the thread is to end.
    fn sync_next(&self, metrics: &Metrics) -> bool {
        {
            let idle = |wanted: &mut Wanted| {
                let Mark { synced, failed } = *self.mark.borrow();
                !wanted.closed && (failed || wanted.synced <= synced)
            };
            let wanted = self.more.wait_while(lock(&self.wanted), idle);
            if wanted.unwrap_or_else(PoisonError::into_inner).closed {
                return false;
            }
        }
        let _at_it = lock(&self.at_it);
        let written = lock(&self.wanted).written;
        let start = Instant::now();
        let file = Arc::clone(&lock(&self.file));
        let synced = file.sync_data();
        metrics.sync_seconds.observe(start.elapsed().as_secs_f64());
        match synced {
            Ok(()) => self.mark.send_modify(|mark| mark.synced = written),
            Err(error) => {
                tracing::error!(%error, "what was written ahead cannot be synced");
                self.mark.send_modify(|mark| mark.failed = true);
            }
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Plain data: a panic elsewhere leaves them whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
