//! What can go wrong while training, in terms a caller can match on.

use std::path::{Path, PathBuf};

/// Why a training task stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line of a data file is not a transition.
    #[error("{}, line {line}: not a transition: {}", path.display(), without_line(source))]
    BadTransition {
        /// The data file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A line of a data file cannot be read.
    #[error("{}, line {line}: {reason}", path.display())]
    BadLine {
        /// The data file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why not.
        reason: String,
    },
    /// A setting is impossible.
    #[error("setting `{field}`: {reason}")]
    Config {
        /// The setting as it is written in the configuration file.
        field: &'static str,
        /// Why it is refused.
        reason: String,
    },
    /// A configuration file does not parse.
    #[error("{}: {source}", path.display())]
    ConfigFile {
        /// The configuration file.
        path: PathBuf,
        /// What the parser said.
        source: Box<toml::de::Error>,
    },
    /// The tokenizer could not be trained, read or applied.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// A checkpoint does not hold what it should.
    #[error("checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint's file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing to learn from.
    #[error("no usable samples: {0}")]
    NoData(String),
    /// The loss is no longer a number; a lower learning rate is the usual cure.
    #[error("the loss became {loss} at step {step}; lower the learning rate")]
    Diverged {
        /// The optimizer step.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// Demonstrations could not be made.
    #[error("demonstrations: {0}")]
    Demos(#[source] crate::demos::DemoError),
    /// Another program failed: one that plays for the collection, or is measured beside ours.
    #[error("{}: {reason}", program.display())]
    Player {
        /// The program.
        program: PathBuf,
        /// What happened.
        reason: String,
    },
    /// A tensor operation failed.
    #[error("tensor operation: {0}")]
    Tensor(#[from] candle_core::Error),
}

/// What the parser said of one line: it counts lines within it, which would only confuse.
fn without_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => format!("{what} (column {})", error.column()),
        None => text,
    }
}

impl TrainError {
    /// An adapter for `map_err` that names the file.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    /// A checkpoint that is refused.
    pub(crate) fn checkpoint(path: &Path, reason: impl ToString) -> Self {
        Self::Checkpoint {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, TrainError>;
