//! The file itself.
//!
//! It begins with [`MAGIC`]; entries follow. Only whole entries with the right numbers count, and the first that is none ends the
//! file: what was synced always lies before it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, NoFrame};
use super::{Entry, Intent};
use crate::store::id::AgentId;
use crate::store::pending::Pending;

/// The first bytes; the last of them is the version.
const MAGIC: [u8; 8] = *b"SGAHEAD\x02";

/// The same of the version before, which had no [`Entry::Played`] and is otherwise the same.
const BEFORE: [u8; 8] = *b"SGAHEAD\x01";

/// Bytes after which no entry is taken: the database has not taken any in for long.
const MOST: u64 = 16 << 20;

/// The file ahead of the database.
#[derive(Debug)]
pub(in crate::store) struct Ahead {
    path: PathBuf,
    file: Arc<File>,
    /// Bytes that count.
    length: u64,
    /// The number of the next entry.
    next: u64,
    /// Steps that were asked for and have no answer.
    open: BTreeMap<AgentId, Intent>,
}

impl Ahead {
    /// Opens the file, or makes it, with its name on disk. Records whose entries have numbers above `applied` go to `pending`: the database does not
    /// hold them.
    pub(in crate::store) fn open(path: &Path, applied: u64, pending: &Pending) -> io::Result<Self> {
        let mut ahead = Self {
            path: path.to_owned(),
            file: Arc::new(open(path)?),
            length: 0,
            next: applied + 1,
            open: BTreeMap::new(),
        };
        let size = ahead.file.metadata()?.len();
        if ahead.read(applied, pending)? && size > ahead.length {
            let bytes = size - ahead.length;
            tracing::warn!(
                bytes,
                "the end of what was written ahead is cut off: the machine stopped while it was written"
            );
        }
        sync_folder(path)?;
        Ok(ahead)
    }

    /// Reads what counts; false when not even the beginning does.
    fn read(&mut self, applied: u64, pending: &Pending) -> io::Result<bool> {
        let file = Arc::clone(&self.file);
        let mut from = BufReader::new(&*file);
        let mut magic = Vec::new();
        io::Read::by_ref(&mut from)
            .take(MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        if magic != MAGIC && magic != BEFORE {
            // One that was made a moment before the machine stopped.
            if magic.iter().all(|byte| *byte == 0) || MAGIC.starts_with(&magic) {
                return Ok(false);
            }
            let problem = "it was written by another version of stride-agentd; start that once and let it end in order";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        self.length = MAGIC.len() as u64;
        let mut expected = None;
        loop {
            match frame::read(&mut from, expected) {
                Ok((number, entry, bytes)) => {
                    self.length += bytes;
                    expected = Some(number + 1);
                    self.next = self.next.max(number + 1);
                    self.take_in(number, entry, applied, pending);
                }
                Err(NoFrame::End | NoFrame::Torn) => return Ok(true),
                Err(NoFrame::Io(error)) => return Err(error),
            }
        }
    }

    fn take_in(&mut self, number: u64, entry: Entry, applied: u64, pending: &Pending) {
        match entry {
            Entry::Intent(intent) => drop(self.open.insert(intent.agent, intent)),
            Entry::Void(agent) => drop(self.open.remove(&agent)),
            Entry::Played {
                agent,
                number: step,
                step: body,
            } if number > applied => pending.put_played(agent, step, body),
            Entry::Played { .. } => {}
            Entry::Answer { agent, record } => {
                self.open.remove(&agent);
                if number > applied {
                    pending.put(agent, number, record);
                }
            }
        }
    }

    /// Appends entries, all or none; returns the number of the first. Nothing is synced.
    pub(in crate::store) fn append(
        &mut self,
        entries: Vec<Entry>,
        pending: &Pending,
    ) -> io::Result<u64> {
        let first = self.next;
        let mut bytes = Vec::new();
        for (number, entry) in (first..).zip(&entries) {
            frame::push(&mut bytes, number, entry)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is too long"))?;
        }
        if self.length + bytes.len() as u64 > MOST {
            let problem = "the database takes nothing in";
            return Err(io::Error::new(io::ErrorKind::StorageFull, problem));
        }
        self.write(&bytes)?;
        for (number, entry) in (first..).zip(entries) {
            self.take_in(number, entry, 0, pending);
            self.next = number + 1;
        }
        Ok(first)
    }

    /// Writes at the end; what a failure leaves behind the end is overwritten by the next.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut file = &*self.file;
        if self.length == 0 {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&MAGIC)?;
            self.length = MAGIC.len() as u64;
        }
        file.seek(SeekFrom::Start(self.length))?;
        if let Err(error) = file.write_all(bytes) {
            // Gives the room back; should it fail, the checksums tell.
            let _ = file.set_len(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Takes everything out that the database holds, which is all but steps without an answer. These are written to a new file, which
    /// is on disk before it takes the place of the old one: after a power cut their answers may have been given.
    pub(in crate::store) fn cut(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            self.file.set_len(0)?;
            self.length = 0;
            return self.write(&[]);
        }
        let mut bytes = MAGIC.to_vec();
        for (number, intent) in (self.next..).zip(self.open.values()) {
            frame::push(&mut bytes, number, &Entry::Intent(intent.clone()))
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is too long"))?;
        }
        let beside = self.path.with_extension("ahead-new");
        let mut file = open(&beside)?;
        file.set_len(0)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        sync_folder(&self.path)?;
        self.file = Arc::new(file);
        self.length = bytes.len() as u64;
        self.next += self.open.len() as u64;
        Ok(())
    }

    /// Steps that were asked for and have no answer.
    pub(in crate::store) fn unanswered(&self) -> impl Iterator<Item = &Intent> {
        self.open.values()
    }

    /// Forgets that a step was asked for whose answer could not be written: nobody got one.
    pub(in crate::store) fn forget(&mut self, agent: &AgentId) {
        self.open.remove(agent);
    }

    /// Bytes that count.
    pub(in crate::store) const fn length(&self) -> u64 {
        self.length
    }

    /// The number of the last entry.
    pub(in crate::store) const fn last(&self) -> u64 {
        self.next - 1
    }

    /// The file, for syncing it.
    pub(in crate::store) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

/// Brings the names in a file's folder on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
