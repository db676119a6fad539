//! Why two models cannot be compared.

use crate::encoder::EncoderError;
use crate::forward::ForwardError;
use crate::transitions::TransitionError;

/// A comparison that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The network cannot be computed, or a tensor is absent, of another shape or damaged.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// A tensor that the source does not have.
    #[error(
        "{side} holds a tensor {name:?} that the source does not have; the two are not of one model"
    )]
    ExtraTensor {
        /// The file.
        side: String,
        /// The tensor.
        name: String,
    },
    /// The tokens of the two are not the same.
    #[error("{side} has another vocabulary than the source: {problem}")]
    Vocabulary {
        /// The file.
        side: String,
        /// Where they part.
        problem: String,
    },
    /// The text is too short to look at.
    #[error("the text has {tokens} tokens; {least} are needed at least")]
    ShortText {
        /// Tokens there are.
        tokens: usize,
        /// Tokens needed.
        least: usize,
    },
    /// No transition fits the context.
    #[error("no transition fits the {context} tokens of the model's context")]
    NothingFits {
        /// Tokens allowed.
        context: usize,
    },
    /// The tokenizer is absent or unusable.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// The transitions cannot be read.
    #[error(transparent)]
    Transitions(#[from] TransitionError),
}
