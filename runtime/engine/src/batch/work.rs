//! What one decode call holds, and what becomes of its logits.

use super::answer::Answer;
use super::call::Call;
use super::policy::BatchPolicy;
use super::queue;
use crate::error::EngineError;
use crate::native::next_batch;
use stride_firmware_config::frame::Marker;

/// Idle slots between two generating ones that are given a token to no use: llama.cpp computes sequences together only
/// when their ids follow each other, and a decode call of its own costs about as much as these tokens.
const WIDEST_BRIDGE: usize = 3;

/// For how many decode calls a slot is kept for an agent in the middle of a step.
const KEPT: u64 = 2;

/// A slot that takes part in a decode call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    pub(super) slot: usize,
    /// How many of its tokens are decoded.
    tokens: usize,
    /// The row whose logits it waits for; `None` when more of its frame follows, or when it is only a bridge.
    pub(super) row: Option<usize>,
}

impl BatchPolicy {
    /// Gives free slots to waiting calls.
    pub(super) fn admit(&mut self) {
        loop {
            // A slot is kept for an agent only as long as others are at work.
            let idle = self.running.iter().all(Option::is_none);
            let now = if idle { u64::MAX } else { self.counts.decodes };
            let Some(admission) = queue::next(&self.waiting, &self.slots, now) else {
                return;
            };
            if let Some(call) = self.waiting.remove(admission.call) {
                self.enter(call, admission.slot, admission.copy_from);
            }
        }
    }

    fn enter(&mut self, mut call: Call, at: usize, copy_from: Option<usize>) {
        call.waited = self.counts.decodes - call.submitted;
        let tokens = call.writing.tokens();
        let own = self.slots[at].reusable(tokens);
        if let Some(Ok([other, slot])) =
            copy_from.map(|from| self.slots.get_disjoint_mut([from, at]))
        {
            slot.copy_from(&mut self.context, other);
        }
        let slot = &mut self.slots[at];
        call.reused = slot.prepare(&mut self.context, tokens);
        self.counts.copied += (call.reused - own.min(call.reused)) as u64;
        let follows = slot.agent == Some(call.agent) && slot.in_a_row > 0;
        slot.in_a_row = if follows { slot.in_a_row + 1 } else { 1 };
        slot.agent = Some(call.agent);
        slot.busy = true;
        let finished = call.writing.finished();
        self.running[at] = Some(call);
        if finished {
            // The constraint left no choice at all.
            self.answer(at);
        }
    }

    /// Chooses the rows of the next decode call: the new tokens of one slot, or one token of each.
    pub(super) fn collect_rows(&mut self) {
        self.rows.clear();
        self.due.clear();
        let several = (0..self.slots.len())
            .filter(|at| self.pending(*at) > 1)
            .min_by_key(|at| self.running[*at].as_ref().map(|call| call.ticket));
        match several {
            Some(at) => self.collect_several(at),
            None => self.collect_singles(),
        }
    }

    /// Tokens of the call in a slot that are not in its cache.
    fn pending(&self, at: usize) -> usize {
        self.running[at].as_ref().map_or(0, |call| {
            call.writing.tokens().len() - self.slots[at].held().len()
        })
    }

    fn collect_several(&mut self, at: usize) {
        let Some(call) = &self.running[at] else {
            return;
        };
        let slot = &self.slots[at];
        let start = slot.held().len();
        let new = &call.writing.tokens()[start..];
        let tokens = next_batch(new.len(), self.context.batch());
        let whole = tokens == new.len();
        let mut row = 0;
        for (nth, token) in new[..tokens].iter().enumerate() {
            let last = whole && nth + 1 == tokens;
            row = self.rows.push(slot.id, start + nth, *token, last);
        }
        self.due.push(Due {
            slot: at,
            tokens,
            row: whole.then_some(row),
        });
    }

    fn collect_singles(&mut self) {
        let mut last: Option<usize> = None;
        for at in 0..self.slots.len() {
            let Some(call) = &self.running[at] else {
                continue;
            };
            let slot = &self.slots[at];
            let position = slot.held().len();
            let token = call.writing.tokens()[position];
            let id = slot.id;
            if let Some(last) = last
                && at - last - 1 <= WIDEST_BRIDGE
            {
                self.bridge(last + 1..at);
            }
            let row = self.rows.push(id, position, token, true);
            self.due.push(Due {
                slot: at,
                tokens: 1,
                row: Some(row),
            });
            last = Some(at);
        }
    }

    /// Gives idle slots a token, unless one of them has no room for it.
    fn bridge(&mut self, slots: std::ops::Range<usize>) {
        let room = self.context_tokens() as usize;
        if slots.clone().any(|at| self.slots[at].held().len() >= room) {
            return;
        }
        let token = self.writer.vocabulary.marker(Marker::Begin);
        for at in slots {
            let slot = &self.slots[at];
            self.rows.push(slot.id, slot.held().len(), token, false);
            self.due.push(Due {
                slot: at,
                tokens: 0,
                row: None,
            });
            self.counts.bridges += 1;
        }
    }

    /// Hands every slot its logits.
    pub(super) fn read_rows(&mut self) {
        for nth in 0..self.due.len() {
            let due = self.due[nth];
            let slot = &mut self.slots[due.slot];
            let Some(call) = &mut self.running[due.slot] else {
                slot.drop_bridge(&mut self.context);
                continue;
            };
            let start = slot.held().len();
            slot.decoded(&call.writing.tokens()[start..start + due.tokens]);
            let Some(row) = due.row else {
                continue;
            };
            let taken = match self.context.logits_of_row(row) {
                Some(logits) => self.writer.take(&mut call.writing, logits),
                None => Err(EngineError::Logits),
            };
            match taken {
                Err(error) => self.fail(due.slot, error),
                Ok(()) if call.writing.finished() => self.answer(due.slot),
                Ok(()) => {
                    // Words may have been taken back.
                    slot.prepare(&mut self.context, call.writing.tokens());
                }
            }
        }
    }

    /// Ends every call of a failed decode call.
    pub(super) fn fail_rows(&mut self, error: &EngineError) {
        let &EngineError::Decode {
            code,
            tokens,
            position,
        } = error
        else {
            return;
        };
        for nth in 0..self.due.len() {
            let at = self.due[nth].slot;
            let error = EngineError::Decode {
                code,
                tokens,
                position,
            };
            self.slots[at].forget(&mut self.context);
            self.fail(at, error);
        }
    }

    fn fail(&mut self, at: usize, error: EngineError) {
        self.slots[at].forget(&mut self.context);
        if let Some(call) = self.leave(at) {
            self.finish(call, Err(error));
        }
    }

    fn answer(&mut self, at: usize) {
        if let Some(call) = self.leave(at) {
            let utterance = self.writer.utterance(&call.writing, call.reused);
            self.finish(call, Ok(utterance));
        }
    }

    fn finish(
        &mut self,
        call: Call,
        outcome: Result<stride_agent::policy::Utterance, EngineError>,
    ) {
        let took = self.counts.decodes - call.submitted;
        self.finished.push_back(Answer {
            ticket: call.ticket,
            agent: call.agent,
            outcome,
            bytes: if call.writing.is_text() {
                call.writing.said().to_vec()
            } else {
                Vec::new()
            },
            waited: u32::try_from(call.waited).unwrap_or(u32::MAX),
            took: u32::try_from(took).unwrap_or(u32::MAX),
        });
        self.put_aside(call.writing);
    }

    /// Takes the call out of its slot. What the slot holds stays.
    pub(super) fn leave(&mut self, at: usize) -> Option<Call> {
        let call = self.running[at].take()?;
        let slot = &mut self.slots[at];
        slot.busy = false;
        slot.free_since = self.counts.decodes;
        if call.last_of_step {
            slot.in_a_row = 0;
            slot.kept_until = 0;
        } else {
            slot.kept_until = self.counts.decodes + KEPT;
        }
        Some(call)
    }
}
