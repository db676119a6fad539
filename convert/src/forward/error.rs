//! Why a forward pass is refused.

use crate::gguf::TensorType;

/// A network that cannot be computed here, or weights that do not make one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// An architecture that the pass does not know.
    #[error(
        "the forward pass does not know the architecture {0:?}; llama, qwen2 and qwen3 are computed (Mistral is a llama)"
    )]
    Architecture(String),
    /// A setting that changes what the network computes and that the pass does not have.
    #[error("{key} {problem}, which the forward pass does not compute")]
    Setting {
        /// The key, or the field of the configuration.
        key: String,
        /// What it says.
        problem: String,
    },
    /// A hyperparameter that is absent or out of bounds.
    #[error("{key} {problem}")]
    Hyperparameter {
        /// The key of the metadata.
        key: String,
        /// What is wrong with it, and what is allowed.
        problem: String,
    },
    /// A tensor that the network needs is absent.
    #[error("{side} has no tensor {name:?}, which its architecture needs")]
    MissingTensor {
        /// The file or folder.
        side: String,
        /// Name in the GGUF.
        name: String,
    },
    /// A tensor whose shape contradicts the hyperparameters.
    #[error(
        "{side}: tensor {name:?} has {rows} rows of {columns}, but the hyperparameters make it {expected}"
    )]
    Shape {
        /// The file or folder.
        side: String,
        /// Name in the GGUF.
        name: String,
        /// Rows there are.
        rows: usize,
        /// Columns there are.
        columns: usize,
        /// What they should be.
        expected: String,
    },
    /// A type that cannot be read.
    #[error("{side}: tensor {name:?} is stored as {kind}, which cannot be read here")]
    Unreadable {
        /// The file or folder.
        side: String,
        /// Name in the GGUF.
        name: String,
        /// Its type.
        kind: TensorType,
    },
    /// A token outside the vocabulary.
    #[error("token {token} is outside the vocabulary of {side}, which has {vocabulary} rows")]
    Token {
        /// The file or folder.
        side: String,
        /// The token.
        token: u32,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// A result that is no number: weights that are NaN, infinite or absurdly large.
    #[error("{side}: {what} is NaN or infinite; a weight is damaged, or training diverged")]
    NotFinite {
        /// The file or folder.
        side: String,
        /// What is.
        what: String,
    },
}
