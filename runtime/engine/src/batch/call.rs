//! One submitted call.

use super::answer::Ticket;
use crate::writing::Writing;

/// A call, waiting or running.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) ticket: Ticket,
    pub(super) agent: u64,
    pub(super) writing: Writing,
    /// Decode calls made before it was submitted.
    pub(super) submitted: u64,
    /// Decode calls made while it waited.
    pub(super) waited: u64,
    /// Tokens of the frame that were found in a cache.
    pub(super) reused: usize,
    /// No other call of the step follows: the agent acts next.
    pub(super) last_of_step: bool,
}
