//! What happens while an agent runs, for callers to print, log or stream.

use stride_firmware_config::frame::StepFrame;

use crate::environment::Outcome;
use crate::policy::Cost;
use crate::utterance::Malformed;

/// One thing that happened. It borrows everything; a caller that keeps it copies what it needs.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A policy level answered.
    Uttered {
        /// The frame it was asked with.
        frame: &'a StepFrame<'a>,
        /// Its answer as used (normalised; for the low level `action; flag` after repair).
        text: &'a str,
        /// Tokens.
        cost: Cost,
        /// Duration of the call in microseconds.
        micros: u64,
    },
    /// A subtask begins.
    SubtaskBegan {
        /// Its index `k`, from 0.
        index: u32,
        /// Its text.
        subtask: &'a str,
    },
    /// The cap of actions per subtask, or the loop rule, closed the subtask in place of the policy's flag.
    SubtaskClosed {
        /// Why.
        reason: CloseReason,
    },
    /// An utterance did not parse and was replaced (method section 12.8).
    Repaired {
        /// What was wrong; `None` when the action was longer than its buffer.
        problem: Option<Malformed>,
        /// What the policy had said.
        text: &'a str,
        /// The action used instead.
        action: &'a str,
    },
    /// Text did not fit its buffer and was cut; the policy reads the cut mark.
    Cut {
        /// Which buffer.
        field: &'static str,
        /// Bytes that were dropped.
        dropped: usize,
    },
    /// The environment answered an action.
    Acted {
        /// Step index `t` in the episode, from 0.
        step: u32,
        /// The action.
        action: &'a str,
        /// The policy's flag.
        finished: bool,
        /// The answer.
        outcome: &'a Outcome,
        /// Duration of the environment's step in microseconds.
        micros: u64,
    },
}

/// Why a subtask was closed although the policy had not said that it is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// The cap of actions per subtask was reached.
    Cap,
    /// The same action brought the same observation too often.
    Loop,
}

/// Receives events, and lends the loop a clock; both are optional.
pub trait Observer {
    /// Called for every event, in order.
    fn event(&mut self, event: &Event<'_>) {
        let _ = event;
    }

    /// Microseconds since any fixed moment. The default clock stands still: durations read as zero.
    fn now_micros(&self) -> u64 {
        0
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn event(&mut self, event: &Event<'_>) {
        (**self).event(event);
    }

    fn now_micros(&self) -> u64 {
        (**self).now_micros()
    }
}

/// Two observers side by side; the clock is the first one's.
#[derive(Debug)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    fn event(&mut self, event: &Event<'_>) {
        self.0.event(event);
        self.1.event(event);
    }

    fn now_micros(&self) -> u64 {
        self.0.now_micros()
    }
}
