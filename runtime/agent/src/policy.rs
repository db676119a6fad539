//! A policy: three levels behind one call.

use std::error::Error;

use stride_firmware_config::frame::StepFrame;

/// What one call of a policy produced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Utterance {
    /// The text, without the end marker.
    pub text: String,
    /// What the call cost.
    pub cost: Cost,
}

impl Utterance {
    /// An utterance that cost nothing to count (scripted and expert policies).
    #[must_use]
    pub fn free(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            cost: Cost::default(),
        }
    }
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Tokens of the frame.
    pub prompt_tokens: u32,
    /// Of these, tokens that had to be decoded (the rest was found in the KV cache).
    pub decoded_tokens: u32,
    /// Tokens of the utterance, its end marker included.
    pub generated_tokens: u32,
    /// Of these, tokens that were guessed ahead and found right: they cost no decode call of their own.
    pub accepted_tokens: u32,
    /// The utterance stopped at the level's token cap, not at an end marker.
    pub capped: bool,
}

/// Why a policy could not answer. It is not about *what* it answered: malformed text is an answer.
#[derive(Debug, thiserror::Error)]
#[error("policy: {0}")]
pub struct PolicyError(#[source] pub Box<dyn Error + Send + Sync>);

impl PolicyError {
    /// Wraps any error of a policy.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// Three levels behind one call: the frame says which level is asked (method section 2).
///
/// A policy is a function of its frame. It may keep caches, never memory of the episode.
pub trait Policy {
    /// Answers one frame.
    ///
    /// # Errors
    /// When the frame does not fit the model's context or inference failed.
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError>;
}

impl<P: Policy + ?Sized> Policy for &mut P {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        (**self).utter(frame)
    }
}

impl<P: Policy + ?Sized> Policy for Box<P> {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        (**self).utter(frame)
    }
}
