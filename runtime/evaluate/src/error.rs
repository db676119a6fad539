//! Why an evaluation could not be made.

use std::error::Error;
use std::path::{Path, PathBuf};

use stride_device::ProfileFileError;
use stride_environments::alfworld::{ReplayError, TranscriptError};
use stride_environments::scienceworld;

use crate::world::WorldError;

/// Why an evaluation stopped. A lost or broken episode is a result, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The policy could not be loaded.
    #[error("{0}")]
    Policy(#[source] Box<dyn Error + Send + Sync>),
    /// The world could not be opened.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A device profile was refused.
    #[error(transparent)]
    Profile(#[from] ProfileFileError),
    /// An episode broke while it was shown.
    #[error("{message}")]
    Episode {
        /// What broke, with its causes.
        message: String,
    },
    /// The output was closed or is full.
    #[error("cannot write the output: {0}")]
    Output(#[source] std::io::Error),
    /// Transcripts could not be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// ScienceWorld's transcripts could not be replayed.
    #[error(transparent)]
    ScienceWorldReplay(#[from] scienceworld::ReplayError),
    /// The official Python package could not be asked.
    #[error("{}: {problem}", python.display())]
    Peer {
        /// The Python that was to run it.
        python: PathBuf,
        /// What went wrong, and what to do.
        problem: String,
    },
    /// A worker of a bench could not do what it was told.
    #[error("{problem}")]
    Worker {
        /// What it said, or how it ended.
        problem: String,
    },
    /// Transcripts could not be opened.
    #[error(transparent)]
    Transcripts(#[from] TranscriptError),
    /// The constraint does not know the world's commands.
    #[error(
        "{world}: --constrain knows the commands of the household worlds and of ALFWorld only; leave it out"
    )]
    NoTemplates {
        /// The world, as it was named.
        world: String,
    },
    /// The selection left nothing to play.
    #[error("{world} has no games to play")]
    NoGames {
        /// The world, as it was named.
        world: String,
    },
}

impl EvalError {
    /// A policy that could not be loaded.
    pub fn policy(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Policy(source.into())
    }

    /// An adapter for `map_err` that names the file.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
