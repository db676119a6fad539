//! Reading and writing.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use redb::{ReadableDatabase as _, ReadableTable as _};
use tokio::sync::{mpsc, oneshot};

use super::ahead::{self, Entry, Intent, Syncer};
use super::database::{AGENTS, FILE, Shared, VOCABULARIES};
use super::episodes::EpisodeHead;
use super::error::StoreError;
use super::id::AgentId;
use super::pending::{Pending, short};
use super::record::{AgentRecord, RECORD, RecordError};
use super::writer::{self, Write, Writer};
use crate::metrics::Metrics;

/// The name of the file ahead of the database in the state folder.
const AHEAD: &str = "agents.ahead";

/// Writes that wait at most; those who write are bounded before they come here.
const WAITING: usize = 1024;

/// The agents on disk. Cloning it makes another handle.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) shared: Arc<Shared>,
    pending: Arc<Pending>,
    syncer: Arc<Syncer>,
    refusing: Arc<AtomicBool>,
    writes: mpsc::Sender<Write>,
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Steps that were asked for before and have no answer: a power cut took it, or there never was one.
    pub unanswered: Vec<Intent>,
    /// The thread that writes. It ends when the last handle is dropped; the files are then closed in order.
    pub thread: JoinHandle<()>,
}

/// An intent on its way to the disk.
#[derive(Debug)]
pub struct Intended(oneshot::Receiver<Result<u64, StoreError>>);

impl Store {
    /// Opens the store in a folder, making both if need be, and starts the threads that write.
    ///
    /// # Errors
    /// When the folder or a file cannot be made or opened, for example because another daemon has it.
    pub fn open(folder: &Path, metrics: Arc<Metrics>) -> Result<Opened, StoreError> {
        use std::os::unix::fs::DirBuilderExt as _;
        let path = folder.join(FILE);
        let failed = |source| StoreError::Ahead {
            path: folder.to_owned(),
            source,
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let shared = Arc::new(Shared::open(path)?);
        let pending = Arc::new(Pending::default());
        let ahead = writer::open_ahead(&folder.join(AHEAD), &shared, &pending)?;
        let unanswered = ahead.unanswered().cloned().collect();
        let (syncer, syncing) =
            ahead::start(ahead.file(), ahead.last(), Arc::clone(&metrics)).map_err(failed)?;
        let refusing = Arc::new(AtomicBool::new(false));
        let (writes, waiting) = mpsc::channel(WAITING);
        let writer = Writer {
            shared: Arc::clone(&shared),
            pending: Arc::clone(&pending),
            ahead,
            syncer: Arc::clone(&syncer),
            refusing: Arc::clone(&refusing),
            metrics,
        };
        let thread = writer::start(writer, waiting, syncing).map_err(failed)?;
        let store = Self {
            shared,
            pending,
            syncer,
            refusing,
            writes,
        };
        Ok(Opened {
            store,
            unanswered,
            thread,
        })
    }

    /// Reads an agent.
    ///
    /// # Errors
    /// When the file cannot be read, or the record is damaged.
    pub fn get(&self, id: &AgentId) -> Result<Option<AgentRecord>, StoreError> {
        let bytes = match self.pending.get(id) {
            Some(bytes) => Some(bytes),
            None => self.shared.with(|database| {
                let read = database.begin_read()?;
                let table = read.open_table(AGENTS)?;
                Ok(table.get(id.key())?.map(|guard| *guard.value()))
            })?,
        };
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

    /// Calls `each` with every agent that the database holds, in order of their ids: right after the store was opened these are all.
    /// Records that are damaged are reported to it as errors.
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
                let id = AgentId::of_key(key.value());
                each(id, understood(id, value.value()));
            }
            Ok(())
        })
    }

    /// Writes a new agent, the actions that it is held to, and the episode that the daemon plays with it. When this returns, a power cut does not undo it.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn create(
        &self,
        id: AgentId,
        record: &AgentRecord,
        vocabulary: Option<&[String]>,
        episode: Option<&EpisodeHead>,
    ) -> Result<(), StoreError> {
        let vocabulary = vocabulary
            .map(postcard::to_allocvec)
            .transpose()
            .map_err(|_| failed(id)(RecordError::TooLong))?;
        let episode = episode
            .map(serde_json::to_vec)
            .transpose()
            .map_err(|_| failed(id)(RecordError::TooLong))?;
        let record = Box::new(record.to_bytes().map_err(failed(id))?);
        self.write(|reply| Write::Create {
            id,
            record,
            vocabulary,
            episode,
            reply,
        })
        .await
    }

    /// Writes down what a step is asked, and begins to sync it. Whoever made the step hands the result to [`Store::answer`], or says
    /// that there is none ([`Store::void`]). One that is too long for that is not written down; its answer is synced then.
    ///
    /// # Errors
    /// When the daemon shuts down.
    pub async fn intend(&self, intent: Intent) -> Result<Option<Intended>, StoreError> {
        if !intent.fits() {
            return Ok(None);
        }
        let (reply, number) = oneshot::channel();
        let entry = Entry::Intent(intent);
        self.send(Write::Ahead { entry, reply }).await?;
        Ok(Some(Intended(number)))
    }

    /// Writes an agent after a step. When this returns, a power cut does not undo it: because the record is on disk, or because what
    /// was `intended` is, from which the step is made again.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn answer(
        &self,
        id: AgentId,
        record: &AgentRecord,
        intended: Option<Intended>,
    ) -> Result<(), StoreError> {
        let record = short(&record.to_bytes().map_err(failed(id))?);
        let safe = match intended {
            None => false,
            Some(Intended(number)) => match number.await {
                Ok(Ok(number)) => self.syncer.reached(number).await,
                Ok(Err(_)) | Err(_) => false,
            },
        };
        let agent = id;
        let number = self.append(Entry::Answer { agent, record }).await?;
        if safe {
            return Ok(());
        }
        self.reached(number).await
    }

    /// Writes down that a step which was intended is not made. When this returns, it is not made again after a power cut.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn void(&self, id: AgentId) -> Result<(), StoreError> {
        let number = self.append(Entry::Void(id)).await?;
        self.reached(number).await
    }

    /// Waits until the record of an agent, as it can be read now, is on disk.
    ///
    /// # Errors
    /// When it cannot be brought there.
    pub async fn settled(&self, id: &AgentId) -> Result<(), StoreError> {
        match self.pending.number(id) {
            Some(number) => self.reached(number).await,
            None => Ok(()),
        }
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
        self.shared.note(key)
    }

    /// Writes a note.
    ///
    /// # Errors
    /// When the commit failed.
    pub async fn set_note(&self, key: &'static str, value: String) -> Result<(), StoreError> {
        self.write(|reply| Write::Note { key, value, reply }).await
    }

    /// Whether the store takes records: after a failure it does not until a write succeeded again.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.shared.is_open() && !self.refusing.load(Ordering::Acquire)
    }

    pub(super) async fn append(&self, entry: Entry) -> Result<u64, StoreError> {
        self.write(|reply| Write::Ahead { entry, reply }).await
    }

    async fn reached(&self, number: u64) -> Result<(), StoreError> {
        if self.syncer.reached(number).await {
            return Ok(());
        }
        Err(StoreError::Commit("the disk could not be synced".into()))
    }

    pub(super) async fn write<T>(
        &self,
        write: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Write,
    ) -> Result<T, StoreError> {
        let (reply, done) = oneshot::channel();
        self.send(write(reply)).await?;
        done.await.unwrap_or(Err(StoreError::Closed))
    }

    async fn send(&self, write: Write) -> Result<(), StoreError> {
        let sent = self.writes.send(write).await;
        sent.map_err(|_| StoreError::Closed)
    }
}

pub(super) fn failed(id: AgentId) -> impl Fn(RecordError) -> StoreError {
    move |source| StoreError::Record { id, source }
}

fn understood(id: AgentId, bytes: &[u8; RECORD]) -> Result<AgentRecord, StoreError> {
    AgentRecord::from_bytes(bytes).map_err(failed(id))
}
