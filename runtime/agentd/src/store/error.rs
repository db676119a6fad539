//! Why the store could not do what it was asked.

use std::path::PathBuf;

use super::id::AgentId;
use super::record::RecordError;

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
    /// The folder or the file ahead of the database cannot be used.
    #[error("the state file {}: {source}", path.display())]
    Ahead {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
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
