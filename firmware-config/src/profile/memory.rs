//! What an agent process may take.

use serde::{Deserialize, Serialize};

use super::range::Field;
use super::{Capacities, Inference, ProfileError};
use crate::{capacity, encoding};

/// Bytes that a process takes before it has loaded a policy: program text in use, C runtime, llama.cpp's own tables, thread
/// stacks and the allocator's slack. Reasoned, with a margin; the engine measures what a policy really takes.
pub const PROCESS_BYTES: u64 = 24 << 20;

/// What an agent process may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Bytes that the whole agent process may take: program, weights, KV cache, scratch and states; default 150 MiB.
    /// A policy that does not fit is refused when it is loaded, not when memory runs out.
    pub budget_bytes: u64,
}

impl Memory {
    /// The budget of the standard profile.
    pub const STANDARD: Self = Self {
        budget_bytes: 150 << 20,
    };

    /// Bytes at most: 16 TiB, above which a budget is a slip of the keyboard.
    pub const MAX_BUDGET: u64 = 16 << 40;

    /// Bytes that no policy can do without: the process, one agent's state and record, one frame and the token buffers.
    /// Weights, KV cache and scratch come on top; they are the policy's, so the engine adds them when it loads one.
    #[must_use]
    pub const fn fixed_bytes(capacities: &Capacities, inference: &Inference) -> u64 {
        let state = (capacity::STATE + encoding::MAX_ENCODED) as u64;
        let frame = (capacities.scene as u64)
            .saturating_add(capacities.observation as u64)
            .saturating_add(capacities.progress as u64);
        // A token is an i32, and a batch entry carries its token, position, sequence and flags: 16 bytes.
        let tokens = 4 * inference.context_tokens as u64 + 16 * inference.batch_tokens as u64;
        PROCESS_BYTES
            .saturating_add(state)
            .saturating_add(frame)
            .saturating_add(tokens)
    }

    pub(super) fn problems(
        &self,
        capacities: &Capacities,
        inference: &Inference,
        report: &mut dyn FnMut(ProfileError),
    ) {
        Field::new("memory.budget_bytes", self.budget_bytes)
            .at_least(
                Self::fixed_bytes(capacities, inference),
                "the process, one agent and its buffers, before any policy",
                report,
            )
            .at_most(Self::MAX_BUDGET, report);
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::STANDARD
    }
}
