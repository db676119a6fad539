//! What each step of an episode cost.

use std::time::Instant;

use serde::Serialize;
use stride_agent::event::{Event, Observer};
use stride_firmware_config::level::PolicyLevel;

/// The cost of one step: everything from one observation to the next.
///
/// A step is one low-level call, the high-level call before it when a subtask begins, the world's answer, and the
/// progress call that takes the answer in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StepCost {
    /// Tokens of the frames of all calls, cached or not.
    pub prompt_tokens: u32,
    /// Of these, tokens that were not found in the KV cache.
    pub decoded_tokens: u32,
    /// Tokens of the utterances, end markers included.
    pub generated_tokens: u32,
    /// Utterances that stopped at their level's token cap.
    pub capped: u32,
    /// Microseconds inside the policy.
    pub policy_micros: u64,
    /// Microseconds inside the world.
    pub world_micros: u64,
}

impl StepCost {
    /// Prompt and generated tokens: what the step costs without any cache.
    #[must_use]
    pub fn tokens(&self) -> u32 {
        self.prompt_tokens + self.generated_tokens
    }

    /// Policy and world together, in milliseconds.
    #[must_use]
    pub fn millis(&self) -> f64 {
        (self.policy_micros + self.world_micros) as f64 / 1000.0
    }
}

/// Lends the episode loop a clock, and adds up the cost of every step.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    steps: Vec<StepCost>,
    open: bool,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// A meter for one episode.
    #[must_use]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            steps: Vec::new(),
            open: false,
        }
    }

    /// The steps so far, the one that runs included.
    #[must_use]
    pub fn steps(&self) -> &[StepCost] {
        &self.steps
    }

    /// The steps of the episode.
    #[must_use]
    pub fn into_steps(self) -> Vec<StepCost> {
        self.steps
    }

    /// The step that runs; the first call of a level that decides opens it.
    fn current(&mut self, decides: bool) -> &mut StepCost {
        if self.steps.is_empty() || (decides && !self.open) {
            self.steps.push(StepCost::default());
            self.open = true;
        }
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }
}

impl Observer for Meter {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Uttered {
                frame,
                cost,
                micros,
                ..
            } => {
                let decides = frame.level() != PolicyLevel::Progress;
                let step = self.current(decides);
                step.prompt_tokens += cost.prompt_tokens;
                step.decoded_tokens += cost.decoded_tokens;
                step.generated_tokens += cost.generated_tokens;
                step.capped += u32::from(cost.capped);
                step.policy_micros += micros;
            }
            Event::Acted { micros, .. } => {
                self.current(false).world_micros += micros;
                self.open = false;
            }
            _ => {}
        }
    }

    fn now_micros(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_step_is_the_calls_between_two_observations() {
        let mut meter = Meter::new();
        let (report, _) = testing::play(4, &mut meter);
        let steps = meter.into_steps();
        assert_eq!(steps.len(), report.steps as usize);
        // Subtasks of two actions: high + low + progress, then low + progress, and so on; the last action wins, and
        // no progress is asked for after it.
        let tokens: Vec<u32> = steps.iter().map(StepCost::tokens).collect();
        assert_eq!(tokens, [33, 22, 33, 11]);
        assert_eq!(steps[0].decoded_tokens, 15);
        assert_eq!(steps[3].generated_tokens, 1);
    }
}
