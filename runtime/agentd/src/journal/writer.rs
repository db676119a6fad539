//! A bounded queue, and the thread that empties it into files.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::counts::JournalCounts;
use super::files::{Files, Packing};

/// Notes that wait at most.
const WAITING: usize = 512;

/// Bytes of lines that are packed together.
const BLOCK: usize = 256 << 10;

/// How long a line waits for others at most.
const PAUSE: Duration = Duration::from_secs(5);

/// Makes lines of notes.
pub trait Scribe<N>: Send + 'static {
    /// Takes a note in.
    fn note(&mut self, note: N, lines: &mut Lines);

    /// The last note was taken in.
    fn finish(&mut self, lines: &mut Lines) {
        let _ = lines;
    }
}

/// Where notes go. The thread behind it ends, and brings everything to the disk, when this is dropped.
#[derive(Debug)]
pub struct Journal<N> {
    notes: SyncSender<N>,
    counts: JournalCounts,
}

impl<N: Send + 'static> Journal<N> {
    /// Starts the thread. Files that cannot be opened stop the journal, not the daemon; they are tried again with every block.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        name: &'static str,
        files: Files,
        scribe: impl Scribe<N>,
        counts: JournalCounts,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (notes, waiting) = mpsc::sync_channel(WAITING);
        let lines = Lines {
            name,
            files,
            block: Vec::new(),
            waiting: 0,
            since: None,
            stopped: false,
            counts: counts.clone(),
        };
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || run(&waiting, scribe, lines))?;
        Ok((Self { notes, counts }, thread))
    }

    /// Takes a note worth so many lines, or counts them as lost: this never waits.
    pub fn note(&self, note: N, lines: u64) {
        if self.notes.try_send(note).is_err() {
            self.counts.dropped.inc_by(lines);
        }
    }
}

fn run<N>(waiting: &Receiver<N>, mut scribe: impl Scribe<N>, mut lines: Lines) {
    // Whatever a crash left is repaired now, not at the first line.
    if lines.files.folder().exists() {
        let opened = lines.files.open();
        lines.outcome(opened.err());
    }
    loop {
        let next = match lines.due() {
            None => waiting.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => waiting.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(note) => scribe.note(note, &mut lines),
            Err(RecvTimeoutError::Timeout) => lines.flush(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    scribe.finish(&mut lines);
    lines.flush();
    if let Err(error) = lines.files.sync() {
        lines.outcome(Some(error));
    }
}

/// Lines on their way to the files.
#[derive(Debug)]
pub struct Lines {
    name: &'static str,
    files: Files,
    block: Vec<u8>,
    /// Lines in the block.
    waiting: u64,
    /// When its first line came.
    since: Option<Instant>,
    stopped: bool,
    counts: JournalCounts,
}

impl Lines {
    /// Adds a line, as JSON.
    pub fn push(&mut self, line: &impl serde::Serialize) {
        let before = self.block.len();
        if serde_json::to_writer(&mut self.block, line).is_err() {
            // Nothing that is written here has keys that are no text; a line that cannot be made is lost like any other.
            self.block.truncate(before);
            self.counts.dropped.inc();
            return;
        }
        self.block.push(b'\n');
        self.waiting += 1;
        self.since.get_or_insert_with(Instant::now);
        if self.block.len() >= BLOCK {
            self.flush();
        }
    }

    /// When what waits is to be written.
    fn due(&self) -> Option<Instant> {
        let pause = match self.files.packing() {
            Packing::Plain => Duration::ZERO,
            Packing::Zstd => PAUSE,
        };
        self.since.map(|since| since + pause)
    }

    fn flush(&mut self) {
        self.since = None;
        if self.block.is_empty() {
            return;
        }
        let written = self.files.append(&self.block);
        match &written {
            Ok(bytes) => {
                self.counts.lines.inc_by(self.waiting);
                self.counts.bytes.inc_by(*bytes);
            }
            Err(_) => drop(self.counts.dropped.inc_by(self.waiting)),
        }
        self.block.clear();
        self.waiting = 0;
        self.outcome(written.err());
    }

    /// Says once that the files cannot be written, and once that they can again.
    fn outcome(&mut self, error: Option<io::Error>) {
        let (name, folder) = (self.name, self.files.folder().display());
        match &error {
            Some(error) if !self.stopped => {
                tracing::error!(name, %folder, %error, "the journal stops; lines are dropped until it can be written");
            }
            None if self.stopped => {
                tracing::info!(name, %folder, "the journal goes on");
            }
            _ => {}
        }
        self.stopped = error.is_some();
        self.counts.stopped.set(i64::from(self.stopped));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::super::files::Bounds;
    use super::*;

    /// Waits at a barrier before its first note.
    struct Slow(Option<Arc<Barrier>>);

    impl Scribe<u64> for Slow {
        fn note(&mut self, note: u64, lines: &mut Lines) {
            if let Some(barrier) = self.0.take() {
                barrier.wait();
            }
            lines.push(&note);
        }
    }

    fn journal(
        folder: &std::path::Path,
        scribe: Slow,
        counts: &JournalCounts,
    ) -> (Journal<u64>, JoinHandle<()>) {
        let bounds = Bounds {
            folder: folder.join("log"),
            file_bytes: 1 << 20,
            files: 2,
            reserve_bytes: 0,
        };
        let files = Files::new(bounds, "n", Packing::Zstd);
        Journal::start("test", files, scribe, counts.clone()).unwrap()
    }

    #[test]
    fn a_full_queue_costs_lines_and_no_time() {
        let folder = tempfile::tempdir().unwrap();
        let (barrier, counts) = (Arc::new(Barrier::new(2)), JournalCounts::default());
        let slow = Slow(Some(Arc::clone(&barrier)));
        let (journal, thread) = journal(folder.path(), slow, &counts);
        // The thread is stuck in the first note: if any of these waited, the test would never end.
        for note in 0..2 * WAITING as u64 {
            journal.note(note, 1);
        }
        let dropped = counts.dropped.get();
        assert!(dropped >= WAITING as u64 - 1, "{dropped}");
        barrier.wait();
        drop(journal);
        thread.join().unwrap();
        assert_eq!(counts.lines.get() + dropped, 2 * WAITING as u64);
        let packed = std::fs::read(folder.path().join("log/n-000001.jsonl.zst")).unwrap();
        let text = String::from_utf8(zstd::decode_all(&*packed).unwrap()).unwrap();
        assert!(text.starts_with("0\n1\n2\n"));
        assert_eq!(text.lines().count() as u64, counts.lines.get());
    }

    #[test]
    fn files_that_cannot_be_written_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("log"), "a file, not a folder").unwrap();
        let counts = JournalCounts::default();
        let (journal, thread) = journal(folder.path(), Slow(None), &counts);
        journal.note(1, 1);
        drop(journal);
        thread.join().unwrap();
        assert_eq!((counts.dropped.get(), counts.lines.get()), (1, 0));
        assert_eq!(counts.stopped.get(), 1);
    }
}
