//! Everything that can go wrong between a checkpoint and a file.

use std::path::PathBuf;

use crate::gguf::{ReadError, TensorType, WriteError};
use crate::importance::ImportanceError;
use crate::quantize::{RowError, TypeChoiceError};
use crate::source::{SourceError, WeightType};

/// A conversion or inspection that failed. Nothing is left behind under the output's name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The checkpoint is refused.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A network is not computed here, or its weights do not make one.
    #[error(transparent)]
    Forward(#[from] crate::forward::ForwardError),
    /// Two models cannot be compared.
    #[error(transparent)]
    Verify(#[from] crate::verify::VerifyError),
    /// The gate is shut.
    #[error("{path} is not published, because it decides otherwise than the checkpoint: {report}")]
    Gate {
        /// The output.
        path: PathBuf,
        /// What is under the limit, and what was said instead.
        report: String,
    },
    /// The gate looks at one file.
    #[error("the gate does not judge a model that is cut into shards; write it as one file")]
    GateShards,
    /// An override that matches nothing.
    #[error(transparent)]
    Types(#[from] TypeChoiceError),
    /// A weight does not fit the type that was asked for.
    #[error("tensor {name:?}: weight {index} is {value}, too large for {kind}; export as f32")]
    OutOfRange {
        /// The tensor, by its name in the checkpoint.
        name: String,
        /// Position in the tensor as it is stored, row by row.
        index: u64,
        /// The weight.
        value: f32,
        /// The type asked for.
        kind: TensorType,
    },
    /// A type was planned that has no quantizer: a bug here.
    #[error(
        "tensor {name:?} was planned as {kind}, which cannot be written (a bug; please report it)"
    )]
    Unsupported {
        /// The tensor.
        name: String,
        /// The type.
        kind: TensorType,
    },
    /// The output is there already.
    #[error("{path} exists; choose another name, or allow replacing it (--force)")]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// Two outputs have one name.
    #[error("two outputs would be {path}; put {{type}} into the name of the output")]
    SameOutput {
        /// The output.
        path: PathBuf,
    },
    /// The output cannot be written.
    #[error("cannot {action} {path}: {source}")]
    Output {
        /// What was tried.
        action: &'static str,
        /// The output.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The GGUF writer refused or failed.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The output.
        path: PathBuf,
        /// Why.
        source: WriteError,
    },
    /// A GGUF file cannot be opened.
    #[error("cannot read {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A GGUF file is refused.
    #[error("{path} is refused: {source}")]
    Gguf {
        /// The file.
        path: PathBuf,
        /// Why and where.
        source: ReadError,
    },
    /// A model in several files that do not belong together.
    #[error("{path} is part of a model in several files, but {problem}")]
    Split {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A GGUF that another form cannot hold, or that must not become another.
    #[error("{path}: {problem}")]
    Model {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// Weights cut into too many files.
    #[error(
        "the weights would be {files} files, and {most} are allowed; make them larger (--split-max-size)"
    )]
    TooManyFiles {
        /// How many there would be.
        files: usize,
        /// How many there may be.
        most: usize,
    },
    /// A weight of a GGUF that is NaN or infinite.
    #[error(
        "tensor {name:?}: weight {index} is {value}; the file is damaged, or made of a diverged training"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// Position in the tensor as it is stored, row by row.
        index: u64,
        /// The weight.
        value: f32,
    },
    /// An importance matrix is refused.
    #[error("{path} is refused: {source}")]
    Importance {
        /// The file.
        path: PathBuf,
        /// Why and where.
        source: ImportanceError,
    },
    /// The file that was just written does not read back as planned: a bug here, or a disk that lies.
    #[error(
        "{path} does not read back as it was written; check the disk, and report it if it is sound"
    )]
    ReadBack {
        /// The output.
        path: PathBuf,
    },
}

/// A row on its way into a file, for errors.
#[derive(Debug)]
pub(crate) struct RowPlace {
    /// The tensor, as the source calls it.
    pub(crate) name: String,
    /// The row, counted in the source.
    pub(crate) row: usize,
    /// Weights of a row.
    pub(crate) columns: usize,
    /// How the source holds it, where that is a checkpoint.
    pub(crate) weights: Option<WeightType>,
}

impl RowPlace {
    /// Says which weight could not be stored as `kind`.
    pub(crate) fn refuse(self, kind: TensorType, error: RowError) -> Error {
        let name = self.name;
        let index = |column: usize| (self.row * self.columns + column) as u64;
        match (error, self.weights) {
            (RowError::NotFinite { column, value }, None) => Error::NotFinite {
                name,
                index: index(column),
                value,
            },
            (RowError::NotFinite { column, value }, Some(kind)) => {
                Error::Source(SourceError::NotFinite {
                    name,
                    index: index(column),
                    kind,
                    value,
                })
            }
            (RowError::OutOfRange { column, value }, _) => Error::OutOfRange {
                name,
                index: index(column),
                value,
                kind,
            },
            (RowError::Unsupported(kind), _) => Error::Unsupported { name, kind },
        }
    }
}
