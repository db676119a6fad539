//! The thread that writes: all that waits goes into one write and one commit.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::{Database, ReadableTable as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::ahead::{Ahead, Entry, Syncer};
use super::database::{AGENTS, APPLIED, EPISODES, NOTES, PLAYED, Shared, VOCABULARIES};
use super::error::StoreError;
use super::id::AgentId;
use super::pending::Pending;
use super::record::RECORD;
use crate::metrics::Metrics;

/// Writes of one commit at most.
const BATCH: usize = 256;

/// Bytes of the file ahead after which it is cut.
const CUT: u64 = 1 << 20;

/// Time in which the database takes in what was written ahead.
const LATE: Duration = Duration::from_secs(1);

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// One thing to write, and whom to tell.
#[derive(Debug)]
pub(super) enum Write {
    /// Into the file ahead of the database; the number of the entry is told, which is then on disk as far as processes go.
    Ahead { entry: Entry, reply: Reply<u64> },
    /// A new agent.
    Create {
        id: AgentId,
        record: Box<[u8; RECORD]>,
        vocabulary: Option<Vec<u8>>,
        episode: Option<Vec<u8>>,
        reply: Reply<()>,
    },
    /// The end of an agent.
    Delete { id: AgentId, reply: Reply<()> },
    /// A note of the daemon to itself.
    Note {
        key: &'static str,
        value: String,
        reply: Reply<()>,
    },
    /// Nothing; but what was written before is in the database when it is answered.
    Nothing { reply: Reply<()> },
}

impl Write {
    fn fail(self, reason: &str) {
        let failed = || StoreError::Commit(reason.to_owned());
        // Whoever asked may have given up.
        match self {
            Self::Ahead { reply, .. } => drop(reply.send(Err(failed()))),
            Self::Create { reply, .. }
            | Self::Delete { reply, .. }
            | Self::Note { reply, .. }
            | Self::Nothing { reply } => drop(reply.send(Err(failed()))),
        }
    }
}

/// What the thread works on.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) pending: Arc<Pending>,
    pub(super) ahead: Ahead,
    pub(super) syncer: Arc<Syncer>,
    /// The last write failed.
    pub(super) refusing: Arc<AtomicBool>,
    pub(super) metrics: Arc<Metrics>,
}

/// Starts the thread. It ends when nobody is left who could write, and ends `syncing` then.
pub(super) fn start(
    mut writer: Writer,
    mut waiting: mpsc::Receiver<Write>,
    syncing: JoinHandle<()>,
) -> std::io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    std::thread::Builder::new()
        .name("store".into())
        .spawn(move || {
            runtime.block_on(writer.run(&mut waiting));
            writer.syncer.close();
            if syncing.join().is_err() {
                tracing::error!("the thread that syncs ended badly");
            }
        })
}

impl Writer {
    async fn run(&mut self, waiting: &mut mpsc::Receiver<Write>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut late = None;
        loop {
            let next = waiting.recv_many(&mut batch, BATCH);
            let received = match late {
                None => next.await,
                Some(late) => match timeout_at(late, next).await {
                    Ok(received) => received,
                    Err(_) => BATCH,
                },
            };
            if received == 0 {
                self.take_in(Vec::new());
                return;
            }
            let (ahead, direct): (Vec<_>, Vec<_>) = batch
                .drain(..)
                .partition(|write| matches!(write, Write::Ahead { .. }));
            if !ahead.is_empty() {
                self.append(ahead);
            }
            let due = late.is_some_and(|late| late <= Instant::now());
            if due || !direct.is_empty() || self.ahead.length() >= CUT {
                self.take_in(direct);
            }
            let troubled = self.refusing.load(Ordering::Acquire) || self.syncer.failed();
            if self.pending.is_empty() && !troubled {
                late = None;
            } else if late.is_none() || due {
                late = Some(Instant::now() + LATE);
            }
        }
    }

    /// Appends to the file ahead.
    fn append(&mut self, batch: Vec<Write>) {
        let (mut entries, mut replies) = (Vec::new(), Vec::new());
        let mut agents = Vec::new();
        for write in batch {
            if let Write::Ahead { entry, reply } = write {
                if let Entry::Answer { agent, .. } = &entry {
                    agents.push(*agent);
                }
                entries.push(entry);
                replies.push(reply);
            }
        }
        // Somebody waits for intents while the policy thinks; for other entries whoever needs it says so.
        let sync = entries
            .iter()
            .any(|entry| matches!(entry, Entry::Intent(_)));
        match self.ahead.append(entries, &self.pending) {
            Ok(first) => {
                self.syncer.written(self.ahead.last(), sync);
                for (number, reply) in (first..).zip(replies) {
                    // Whoever asked may have given up.
                    let _ = reply.send(Ok(number));
                }
            }
            Err(error) => {
                self.failed(&error, replies.len());
                agents.iter().for_each(|agent| self.ahead.forget(agent));
                for reply in replies {
                    let _ = reply.send(Err(StoreError::Commit(error.to_string())));
                }
            }
        }
    }

    /// Has the database take in the records of the file ahead and `batch`, in one commit, and cuts the file.
    fn take_in(&mut self, batch: Vec<Write>) {
        let start = std::time::Instant::now();
        if !self.shared.is_open()
            && let Err(error) = self.shared.reopen()
        {
            tracing::error!(%error, "the state file stays closed");
        }
        let records = batch.len() + self.pending.len();
        let applied = self.ahead.last();
        let written = self
            .shared
            .with(|database| commit(database, &self.pending, &batch, applied));
        if let Err(error) = written {
            self.failed(&error, records);
            // Opened again before anybody is told, so that whoever tries again finds what really was written.
            if self.shared.is_open()
                && let Err(error) = self.shared.reopen()
            {
                tracing::error!(%error, "the state file cannot be opened again yet");
            }
            let reason = error.to_string();
            batch.into_iter().for_each(|write| write.fail(&reason));
            return;
        }
        self.metrics
            .commit_seconds
            .observe(start.elapsed().as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "at most some thousand")]
        self.metrics.commit_records.observe(records as f64);
        self.pending.clear();
        for write in batch {
            match write {
                Write::Ahead { .. } => {}
                Write::Create { reply, .. }
                | Write::Delete { reply, .. }
                | Write::Note { reply, .. }
                | Write::Nothing { reply } => drop(reply.send(Ok(()))),
            }
        }
        let needless = self.ahead.unanswered().next().is_none();
        if needless || self.ahead.length() >= CUT || self.syncer.failed() {
            self.cut();
        } else {
            self.refusing.store(false, Ordering::Release);
        }
    }

    fn cut(&mut self) {
        let (ahead, syncer) = (&mut self.ahead, &self.syncer);
        let cut = syncer.anew(|| {
            ahead.cut()?;
            Ok((ahead.last(), ahead.file()))
        });
        match cut {
            Ok(()) => self.refusing.store(false, Ordering::Release),
            Err(error) => self.failed(&error, 0),
        }
    }

    fn failed(&self, error: &dyn std::fmt::Display, records: usize) {
        self.refusing.store(true, Ordering::Release);
        self.metrics.commit_failures.inc();
        tracing::error!(%error, records, "a write failed; no step of it is answered");
    }
}

/// Opens the file ahead, and has the database take in what it holds; what remains in it are steps without an answer.
pub(super) fn open_ahead(
    path: &Path,
    shared: &Shared,
    pending: &Pending,
) -> Result<Ahead, StoreError> {
    let failed = |source| StoreError::Ahead {
        path: path.to_owned(),
        source,
    };
    let applied = shared.note(APPLIED)?;
    // A database from before there was such a file holds no note.
    let applied = applied.and_then(|number| number.parse().ok()).unwrap_or(0);
    let mut ahead = Ahead::open(path, applied, pending).map_err(failed)?;
    let records = pending.len();
    if records > 0 {
        tracing::info!(records, "taken in from the file ahead");
    }
    let applied = ahead.last();
    shared.with(|database| commit(database, pending, &[], applied))?;
    pending.clear();
    ahead.cut().map_err(failed)?;
    Ok(ahead)
}

fn commit(
    database: &Database,
    pending: &Pending,
    batch: &[Write],
    applied: u64,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut agents = transaction.open_table(AGENTS)?;
        let mut vocabularies = transaction.open_table(VOCABULARIES)?;
        let mut episodes = transaction.open_table(EPISODES)?;
        let mut played = transaction.open_table(PLAYED)?;
        let mut notes = transaction.open_table(NOTES)?;
        notes.insert(APPLIED, &*applied.to_string())?;
        pending.for_each(|id, record| {
            agents.insert(id.key(), record)?;
            Ok::<_, redb::Error>(())
        })?;
        pending.for_each_played(|id, number, step| {
            // One whose agent was deleted meanwhile would stay for ever.
            if episodes.get(id.key())?.is_some() {
                played.insert((id.key(), number), step)?;
            }
            Ok::<_, redb::Error>(())
        })?;
        for write in batch {
            match write {
                Write::Ahead { .. } | Write::Nothing { .. } => {}
                Write::Create {
                    id,
                    record,
                    vocabulary,
                    episode,
                    ..
                } => {
                    agents.insert(id.key(), &**record)?;
                    if let Some(vocabulary) = vocabulary {
                        vocabularies.insert(id.key(), &**vocabulary)?;
                    }
                    if let Some(episode) = episode {
                        episodes.insert(id.key(), &**episode)?;
                    }
                }
                Write::Delete { id, .. } => {
                    agents.remove(id.key())?;
                    vocabularies.remove(id.key())?;
                    if episodes.remove(id.key())?.is_some() {
                        played.retain_in((id.key(), 0)..=(id.key(), u32::MAX), |_, _| false)?;
                    }
                }
                Write::Note { key, value, .. } => drop(notes.insert(*key, value.as_str())?),
            }
        }
    }
    Ok(transaction.commit()?)
}
