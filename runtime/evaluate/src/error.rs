//! Why an evaluation could not be made.

use std::error::Error;
use std::path::{Path, PathBuf};

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
    #[error("{0}")]
    World(#[source] Box<dyn Error + Send + Sync>),
    /// A transcript or a report is not what it should be.
    #[error("{}, line {line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
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

    /// A world that could not be opened.
    pub fn world(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::World(source.into())
    }

    /// An adapter for `map_err` that names the file.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
