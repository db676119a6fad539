//! Why a profile is refused.

/// Why a profile is refused. Every message names the field as a dotted path, its value, what is allowed and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The name is empty or holds something else than ASCII letters, digits, `-`, `_` and `.`.
    #[error("name: must be 1 to {max} ASCII letters, digits, '-', '_' or '.', because it labels files and metrics; rename the profile", max = super::NAME)]
    Name,
    /// A capacity is larger than this build was compiled for.
    #[error(
        "{field} = {value}: at most {max} in this build (capacity::{constant}); lower it or rebuild"
    )]
    OverBuild {
        /// Dotted path of the field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// Largest value allowed.
        max: u64,
        /// The constant of [`crate::capacity`] that bounds it.
        constant: &'static str,
    },
    /// A value is larger than is ever useful.
    #[error("{field} = {value}: at most {max}; lower it")]
    TooLarge {
        /// Dotted path of the field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// Largest value allowed.
        max: u64,
    },
    /// A value is too small to work with.
    #[error("{field} = {value}: at least {min} ({why}); raise it")]
    TooSmall {
        /// Dotted path of the field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// Smallest value allowed.
        min: u64,
        /// What needs that much.
        why: &'static str,
    },
    /// The longest prompt and the longest utterance do not fit the context together.
    #[error("inference.context_tokens = {context}: at least {needed}, because capacities.prompt_tokens = {prompt} and {utterance_field} = {utterance} must fit it together; raise the context or lower capacities.prompt_tokens", needed = u64::from(*prompt) + u64::from(*utterance))]
    ContextTooSmall {
        /// `inference.context_tokens`.
        context: u32,
        /// `capacities.prompt_tokens`.
        prompt: u32,
        /// Dotted path of the largest utterance cap.
        utterance_field: &'static str,
        /// Its value in tokens.
        utterance: u32,
    },
    /// A batch cannot be larger than the context that it fills.
    #[error(
        "inference.batch_tokens = {batch}: at most inference.context_tokens = {context}; lower the batch or raise the context"
    )]
    BatchOverContext {
        /// `inference.batch_tokens`.
        batch: u32,
        /// `inference.context_tokens`.
        context: u32,
    },
}

impl ProfileError {
    /// The field to change, as a dotted path.
    #[must_use]
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::OverBuild { field, .. }
            | Self::TooLarge { field, .. }
            | Self::TooSmall { field, .. } => field,
            Self::ContextTooSmall { .. } => "inference.context_tokens",
            Self::BatchOverContext { .. } => "inference.batch_tokens",
        }
    }
}
