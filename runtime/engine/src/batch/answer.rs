//! What goes out.

use stride_agent::policy::Utterance;

use crate::error::EngineError;
use crate::writing::Writing;

/// Names one submitted call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// What a call has said so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<'a> {
    /// The bytes; the last character may not be whole yet.
    pub bytes: &'a [u8],
    /// Tokens of the frame or text.
    pub prompt_tokens: usize,
    /// Tokens said.
    pub generated_tokens: u32,
}

impl<'a> Said<'a> {
    pub(super) fn of(writing: &'a Writing) -> Self {
        Self {
            bytes: writing.said(),
            prompt_tokens: writing.prompt(),
            generated_tokens: writing.generated(),
        }
    }
}

/// A finished call.
#[derive(Debug)]
pub struct Answer {
    /// Which call.
    pub ticket: Ticket,
    /// Whose call.
    pub agent: u64,
    /// What was said, or why nothing was. The space in front of it is removed; [`Answer::bytes`] has it still.
    pub outcome: Result<Utterance, EngineError>,
    /// All bytes that were said behind a text; empty for frames.
    pub bytes: Vec<u8>,
    /// Decode calls made while this one waited for a slot.
    pub waited: u32,
    /// Decode calls made from submission to answer.
    pub took: u32,
}

/// How busy an engine is, and what it has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Calls that wait for a slot.
    pub waiting: usize,
    /// Calls in a slot.
    pub running: usize,
    /// Decode calls so far.
    pub decodes: u64,
    /// Tokens decoded so far, of frames and utterances.
    pub tokens: u64,
    /// Tokens decoded to no use, so that neighbours shared a call.
    pub bridges: u64,
    /// Tokens of frames that were copied from another slot.
    pub copied: u64,
}
