//! One sequence of the context.

use crate::native::{Context, Token};
use crate::sequence;

/// A sequence and the tokens that its KV cache holds.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its id in the context.
    pub(super) id: u32,
    /// What the cache holds.
    held: Vec<Token>,
    /// Who used it last.
    pub(super) agent: Option<u64>,
    /// Calls of that agent in a row since it last acted.
    pub(super) in_a_row: u32,
    /// The decode call after which it was given back.
    pub(super) free_since: u64,
    /// Until which decode call it is kept for its agent.
    pub(super) kept_until: u64,
    /// Whether a call runs in it.
    pub(super) busy: bool,
}

impl Slot {
    pub(super) fn new(id: u32, context_tokens: u32) -> Self {
        Self {
            id,
            held: Vec::with_capacity(context_tokens as usize),
            agent: None,
            in_a_row: 0,
            free_since: 0,
            kept_until: 0,
            busy: false,
        }
    }

    /// How many of these tokens need not be decoded here.
    pub(super) fn reusable(&self, tokens: &[Token]) -> usize {
        sequence::reusable(&self.held, tokens)
    }

    /// Cuts the cache to what `tokens` can use of it, and returns how much that is.
    pub(super) fn prepare(&mut self, context: &mut Context, tokens: &[Token]) -> usize {
        let kept = self.reusable(tokens);
        if kept < self.held.len() && !context.truncate(self.id, kept) {
            // Recurrent memories can only be emptied; everything is then decoded again.
            self.forget(context);
            return 0;
        }
        self.held.truncate(kept);
        kept
    }

    /// Takes over the cache of another slot.
    pub(super) fn copy_from(&mut self, context: &mut Context, other: &Self) {
        context.copy(other.id, self.id);
        self.held.clear();
        self.held.extend_from_slice(&other.held);
    }

    /// What the cache holds.
    pub(super) fn held(&self) -> &[Token] {
        &self.held
    }

    /// Notes that these tokens were decoded behind what is held.
    pub(super) fn decoded(&mut self, tokens: &[Token]) {
        self.held.extend_from_slice(tokens);
    }

    /// Removes what was decoded behind the held tokens to no use.
    pub(super) fn drop_bridge(&mut self, context: &mut Context) {
        if !context.truncate(self.id, self.held.len()) {
            self.forget(context);
        }
    }

    /// Empties the cache.
    pub(super) fn forget(&mut self, context: &mut Context) {
        context.truncate(self.id, 0);
        self.held.clear();
    }
}
