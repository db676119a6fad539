//! The file of records, and reading from it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use stride_client::api::AGENT_ID;
use tokio::sync::{mpsc, oneshot};

use super::record::{AgentRecord, RECORD, RecordError};
use super::writer::{self, Write};
use crate::metrics::Metrics;

pub(super) const AGENTS: TableDefinition<'_, &[u8; AGENT_ID], &[u8; RECORD]> =
    TableDefinition::new("agents");
/// The actions that an agent is held to, for those that are: in the postcard wire format.
pub(super) const VOCABULARIES: TableDefinition<'_, &[u8; AGENT_ID], &[u8]> =
    TableDefinition::new("vocabularies");
pub(super) const NOTES: TableDefinition<'_, &str, &str> = TableDefinition::new("notes");

/// The name of the file in the state folder.
const FILE: &str = "agents.redb";

/// Bytes of pages that redb keeps in memory.
const CACHE: usize = 8 << 20;

/// Writes that wait at most; those who write are bounded before they come here.
const WAITING: usize = 1024;

/// The name of an agent: 1 to [`AGENT_ID`] ASCII letters, digits, `-` and `_`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AgentId([u8; AGENT_ID]);

/// A text that names no agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an agent's id has 1 to {AGENT_ID} ASCII letters, digits, `-` and `_`")]
pub struct NoAgentId;

impl AgentId {
    /// An id that nobody can guess: 128 random bits.
    #[must_use]
    pub fn random() -> Self {
        let digits = format!("{:032x}", rand::random::<u128>());
        let mut id = [0; AGENT_ID];
        id.copy_from_slice(digits.as_bytes());
        Self(id)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(AGENT_ID);
        // Only ASCII was let in.
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }

    /// A number that stays with the name; two names may share one.
    #[must_use]
    pub fn number(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) const fn key(&self) -> &[u8; AGENT_ID] {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = NoAgentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > AGENT_ID || !text.bytes().all(plain) {
            return Err(NoAgentId);
        }
        let mut id = [0; AGENT_ID];
        id[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(id))
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened, read or written: the disk is full, broken, or not ours.
    #[error("the state file {}: {source}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What redb said.
        source: Box<redb::Error>,
    },
    /// The commit that should have taken this record failed; the store is as before it.
    #[error("the records could not be written: {0}")]
    Commit(String),
    /// The file was given up after a failed commit, and could not be opened again yet.
    #[error("the state file is not open: {0}")]
    Unavailable(String),
    /// The record of an agent cannot be read.
    #[error("agent {id}: {source}")]
    Record {
        /// Which.
        id: AgentId,
        /// Why not.
        source: RecordError,
    },
    /// The daemon shuts down.
    #[error("the daemon is shutting down")]
    Closed,
}

/// The open file. Empty after a commit failed, until it could be opened again.
#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    open: RwLock<Result<Database, String>>,
}

impl Shared {
    /// Calls `with` with the database.
    pub(super) fn with<T>(
        &self,
        with: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        match &*open {
            Ok(database) => with(database).map_err(|source| self.failed(source)),
            Err(reason) => Err(StoreError::Unavailable(reason.clone())),
        }
    }

    /// Gives the file up and opens it again: what redb holds in memory after a failed commit is not to be trusted.
    pub(super) fn reopen(&self) -> Result<(), StoreError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        *open = Err("it is being opened again".into());
        *open = open_file(&self.path).map_err(|error| error.to_string());
        match &*open {
            Ok(_) => Ok(()),
            Err(reason) => Err(StoreError::Unavailable(reason.clone())),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.is_ok()
    }

    fn failed(&self, source: redb::Error) -> StoreError {
        StoreError::Database {
            path: self.path.clone(),
            source: Box::new(source),
        }
    }
}

/// The agents on disk. Cloning it makes another handle.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
    writes: mpsc::Sender<Write>,
}

impl Store {
    /// Opens the store in a folder, making both if need be, and starts the thread that writes. The thread ends when the last
    /// handle is dropped; the file is then closed in order.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or opened, for example because another daemon has it.
    pub fn open(
        folder: &Path,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = folder.join(FILE);
        let failed = |source: redb::Error| StoreError::Database {
            path: path.clone(),
            source: Box::new(source),
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| failed(redb::Error::Io(error)))?;
        let database = open_file(&path).map_err(failed)?;
        let shared = Arc::new(Shared {
            path: path.clone(),
            open: RwLock::new(Ok(database)),
        });
        let (writes, waiting) = mpsc::channel(WAITING);
        let thread = writer::start(Arc::clone(&shared), waiting, metrics)
            .map_err(|error| failed(redb::Error::Io(error)))?;
        Ok((Self { shared, writes }, thread))
    }

    /// Reads an agent.
    ///
    /// # Errors
    /// When the file cannot be read, or the record is damaged.
    pub fn get(&self, id: &AgentId) -> Result<Option<AgentRecord>, StoreError> {
        let bytes = self.shared.with(|database| {
            let read = database.begin_read()?;
            let table = read.open_table(AGENTS)?;
            Ok(table.get(id.key())?.map(|guard| *guard.value()))
        })?;
        bytes.map(|bytes| understood(*id, &bytes)).transpose()
    }

    /// The actions that an agent is held to, if it is.
    ///
    /// # Errors
    /// When the file cannot be read, or they are damaged.
    pub fn vocabulary(&self, id: &AgentId) -> Result<Option<Vec<String>>, StoreError> {
        let bytes = self.shared.with(|database| {
            let read = database.begin_read()?;
            let table = read.open_table(VOCABULARIES)?;
            Ok(table.get(id.key())?.map(|guard| guard.value().to_vec()))
        })?;
        let understood = |bytes: Vec<u8>| {
            postcard::from_bytes(&bytes).map_err(|_| StoreError::Record {
                id: *id,
                source: RecordError::Damaged,
            })
        };
        bytes.map(understood).transpose()
    }

    /// Calls `each` with every agent, in order of their ids. Records that are damaged are reported to it as errors.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn for_each(
        &self,
        mut each: impl FnMut(AgentId, Result<AgentRecord, StoreError>),
    ) -> Result<(), StoreError> {
        self.shared.with(|database| {
            let read = database.begin_read()?;
            let table = read.open_table(AGENTS)?;
            for entry in table.iter()? {
                let (key, value) = entry?;
                let id = AgentId(*key.value());
                each(id, understood(id, value.value()));
            }
            Ok(())
        })
    }

    /// Writes a new agent, and the actions that it is held to. When this returns, a power cut does not undo it.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn create(
        &self,
        id: AgentId,
        record: &AgentRecord,
        vocabulary: Option<&[String]>,
    ) -> Result<(), StoreError> {
        let failed = |source| StoreError::Record { id, source };
        let vocabulary = vocabulary
            .map(postcard::to_allocvec)
            .transpose()
            .map_err(|_| failed(RecordError::TooLong))?;
        let bytes = Box::new(record.to_bytes().map_err(failed)?);
        self.write(|reply| Write::Put {
            id,
            bytes,
            vocabulary,
            reply,
        })
        .await
    }

    /// Writes an agent. When this returns, a power cut does not undo it.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn put(&self, id: AgentId, record: &AgentRecord) -> Result<(), StoreError> {
        self.create(id, record, None).await
    }

    /// Deletes an agent.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn delete(&self, id: AgentId) -> Result<(), StoreError> {
        self.write(|reply| Write::Delete { id, reply }).await
    }

    /// A note of the daemon to itself.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn note(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.shared.with(|database| {
            let read = database.begin_read()?;
            let table = read.open_table(NOTES)?;
            Ok(table.get(key)?.map(|guard| guard.value().to_owned()))
        })
    }

    /// Writes a note.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn set_note(&self, key: &'static str, value: String) -> Result<(), StoreError> {
        self.write(|reply| Write::Note { key, value, reply }).await
    }

    /// Whether the file is open: it is not after a failed commit until it could be opened again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.is_open()
    }

    async fn write(
        &self,
        write: impl FnOnce(oneshot::Sender<Result<(), StoreError>>) -> Write,
    ) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        self.writes
            .send(write(reply))
            .await
            .map_err(|_| StoreError::Closed)?;
        done.await.unwrap_or(Err(StoreError::Closed))
    }
}

fn understood(id: AgentId, bytes: &[u8; RECORD]) -> Result<AgentRecord, StoreError> {
    AgentRecord::from_bytes(bytes).map_err(|source| StoreError::Record { id, source })
}

/// Opens the file, and makes its tables if it is new.
fn open_file(path: &Path) -> Result<Database, redb::Error> {
    let database = Builder::new().set_cache_size(CACHE).create(path)?;
    let write = database.begin_write()?;
    write.open_table(AGENTS)?;
    write.open_table(VOCABULARIES)?;
    write.open_table(NOTES)?;
    write.commit()?;
    Ok(database)
}

#[cfg(test)]
mod tests {
    use stride_firmware_config::state::AgentState;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn ids_are_plain_and_come_back() {
        for text in ["a", "Agent-7_x", &"z".repeat(AGENT_ID)] {
            let id: AgentId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
        }
        for text in ["", "a/b", "ä", "a b", "..", &"z".repeat(AGENT_ID + 1)] {
            assert!(text.parse::<AgentId>().is_err(), "{text}");
        }
        assert_ne!(AgentId::random(), AgentId::random());
        assert_eq!(AgentId::random().as_str().len(), AGENT_ID);
    }

    #[test]
    fn what_was_written_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        let (store, thread) = Store::open(folder.path(), Arc::clone(&metrics)).unwrap();
        let [a, b, c, d] = ["a", "b", "c", "d"].map(|id| id.parse::<AgentId>().unwrap());
        let record = AgentRecord::new(AgentState::default(), 7);
        runtime().block_on(async {
            store.put(a, &record).await.unwrap();
            store.put(b, &record).await.unwrap();
            let words = ["go".to_owned(), "stop".to_owned()];
            store.create(c, &record, Some(&words)).await.unwrap();
            store.put(c, &record).await.unwrap();
            store.create(d, &record, Some(&words)).await.unwrap();
            store.delete(d).await.unwrap();
            store.delete(a).await.unwrap();
            store.set_note("model", "x".into()).await.unwrap();
        });
        drop(store);
        thread.join().unwrap();
        let (store, _thread) = Store::open(folder.path(), metrics).unwrap();
        assert_eq!(store.get(&a).unwrap(), None);
        assert_eq!(store.get(&b).unwrap(), Some(record));
        assert_eq!(store.vocabulary(&c).unwrap().unwrap(), ["go", "stop"]);
        assert_eq!(store.vocabulary(&b).unwrap(), None);
        assert_eq!(store.vocabulary(&d).unwrap(), None);
        assert_eq!(store.note("model").unwrap().as_deref(), Some("x"));
        let mut ids = Vec::new();
        store
            .for_each(|id, record| ids.push((id, record.is_ok())))
            .unwrap();
        assert_eq!(ids, [(b, true), (c, true)]);
    }

    #[test]
    fn a_second_daemon_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        let _first = Store::open(folder.path(), Arc::clone(&metrics)).unwrap();
        let second = Store::open(folder.path(), metrics).unwrap_err();
        assert!(second.to_string().contains("agents.redb"), "{second}");
    }
}
