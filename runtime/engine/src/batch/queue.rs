//! Who gets a slot, and which.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::call::Call;
use super::slot::Slot;

/// Calls of one agent in a row that may go before the queue: a step has a progress call, perhaps a high-level one, and
/// an action.
const STEP_CALLS: u32 = 3;

/// Tokens that must be saved for the cache of another slot to be copied: llama.cpp copies it whole and plans its next
/// graph anew, which takes as long as decoding about twenty tokens of a small policy.
const WORTH_COPYING: usize = 24;

/// Where the next call goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Admission {
    /// Its place in the queue.
    pub(super) call: usize,
    /// The slot it gets.
    pub(super) slot: usize,
    /// A slot to copy first.
    pub(super) copy_from: Option<usize>,
}

/// The next call to admit after `now` decode calls, if any can be.
pub(super) fn next(waiting: &VecDeque<Call>, slots: &[Slot], now: u64) -> Option<Admission> {
    continuation(waiting, slots).or_else(|| first_in_line(waiting, slots, now))
}

/// The first call whose agent is in the middle of a step and has its slot.
fn continuation(waiting: &VecDeque<Call>, slots: &[Slot]) -> Option<Admission> {
    let own = |call: &Call| {
        slots.iter().position(|slot| {
            !slot.busy
                && slot.agent == Some(call.agent)
                && slot.in_a_row > 0
                && slot.in_a_row < STEP_CALLS
        })
    };
    let (call, slot) = waiting
        .iter()
        .enumerate()
        .find_map(|(at, call)| Some((at, own(call)?)))?;
    Some(Admission {
        call,
        slot,
        copy_from: None,
    })
}

/// The call that waits longest, in the free slot that serves it best.
fn first_in_line(waiting: &VecDeque<Call>, slots: &[Slot], now: u64) -> Option<Admission> {
    let tokens = waiting.front()?.writing.tokens();
    let fronts = slots.iter().map(|slot| slot.reusable(tokens));
    let numbered = slots.iter().zip(fronts).enumerate();
    let (slot, (_, saved)) = numbered
        .clone()
        .filter(|(_, (slot, _))| !slot.busy && slot.kept_until <= now)
        .max_by_key(|(_, (slot, front))| (*front, Reverse(slot.free_since)))?;
    let copy_from = numbered
        .max_by_key(|(_, (_, front))| *front)
        .filter(|(_, (_, front))| *front >= saved + WORTH_COPYING)
        .map(|(other, _)| other);
    Some(Admission {
        call: 0,
        slot,
        copy_from,
    })
}
