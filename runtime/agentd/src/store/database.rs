//! The database: its tables, and opening it again.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use redb::{Builder, Database, ReadableDatabase as _, TableDefinition};
use stride_client::api::AGENT_ID;

use super::error::StoreError;
use super::record::RECORD;

pub(super) const AGENTS: TableDefinition<'_, &[u8; AGENT_ID], &[u8; RECORD]> =
    TableDefinition::new("agents");
/// The actions that an agent is held to, for those that are: in the postcard wire format.
pub(super) const VOCABULARIES: TableDefinition<'_, &[u8; AGENT_ID], &[u8]> =
    TableDefinition::new("vocabularies");
/// What the daemon plays itself, by the agents that play it: [`super::EpisodeHead`] as JSON.
pub(super) const EPISODES: TableDefinition<'_, &[u8; AGENT_ID], &[u8]> =
    TableDefinition::new("episodes");
/// The steps of these, by agent and number, as JSON.
pub(super) const PLAYED: TableDefinition<'_, (&[u8; AGENT_ID], u32), &[u8]> =
    TableDefinition::new("played");
pub(super) const NOTES: TableDefinition<'_, &str, &str> = TableDefinition::new("notes");

/// The note that says up to which entry of the file ahead the database holds everything.
pub(super) const APPLIED: &str = "ahead";

/// The name of the file in the state folder.
pub(super) const FILE: &str = "agents.redb";

/// Bytes of pages that redb keeps in memory.
const CACHE: usize = 8 << 20;

/// The open file. Empty after a commit failed, until it could be opened again.
#[derive(Debug)]
pub(super) struct Shared {
    path: PathBuf,
    open: RwLock<Result<Database, String>>,
}

impl Shared {
    /// Opens the file, or makes it.
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        match open_file(&path) {
            Ok(database) => Ok(Self {
                path,
                open: RwLock::new(Ok(database)),
            }),
            Err(source) => Err(StoreError::Database {
                path,
                source: Box::new(source),
            }),
        }
    }

    /// A note of the daemon to itself.
    pub(super) fn note(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.with(|database| {
            let read = database.begin_read()?;
            let table = read.open_table(NOTES)?;
            Ok(table.get(key)?.map(|guard| guard.value().to_owned()))
        })
    }

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

/// Opens the file, and makes its tables if it is new.
fn open_file(path: &Path) -> Result<Database, redb::Error> {
    let database = Builder::new().set_cache_size(CACHE).create(path)?;
    let write = database.begin_write()?;
    write.open_table(AGENTS)?;
    write.open_table(VOCABULARIES)?;
    write.open_table(EPISODES)?;
    write.open_table(PLAYED)?;
    write.open_table(NOTES)?;
    write.commit()?;
    Ok(database)
}
