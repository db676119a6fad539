//! The expert with errors on purpose, to reach states off its own path; the expert itself labels them.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::utterance::{format_low, parse_low};
use stride_environments::scienceworld::view::View;
use stride_firmware_config::frame::StepFrame;

use super::Expert;
use crate::expert::noise::ErrorRates;

/// The expert, with errors.
#[derive(Debug)]
pub struct NoisyExpert {
    rates: ErrorRates,
    rng: ChaCha8Rng,
}

impl NoisyExpert {
    /// A noisy expert; the same generator state gives the same errors.
    #[must_use]
    pub fn new(rates: ErrorRates, rng: ChaCha8Rng) -> Self {
        Self { rates, rng }
    }

    fn err(&mut self, frame: &StepFrame<'_>, right: String) -> String {
        match *frame {
            // The last subtask once more.
            StepFrame::High { completed, .. } if self.rng.random_bool(self.rates.high) => {
                completed.iter().last().map_or(right, str::to_owned)
            }
            StepFrame::Low { observation, .. } if self.rng.random_bool(self.rates.low) => {
                self.wrong_action(&View::read(observation), &right)
            }
            StepFrame::Progress { progress, .. } if self.rng.random_bool(self.rates.progress) => {
                // Not rewritten, or forgotten.
                if self.rng.random_bool(0.7) {
                    progress.to_owned()
                } else {
                    String::new()
                }
            }
            _ => right,
        }
    }

    /// Another action: never a focus, which would end the episode at once and teach nothing.
    fn wrong_action(&mut self, view: &View, right: &str) -> String {
        let Ok(low) = parse_low(right) else {
            return right.to_owned();
        };
        let things: Vec<&str> = view.everything().map(|t| t.name.as_str()).collect();
        let held: Vec<&str> = view.holding.iter().map(|t| t.name.as_str()).collect();
        let thing = things.choose(&mut self.rng).copied().unwrap_or("table");
        let door = view.doors.choose(&mut self.rng);
        let command = match (self.rng.random_range(0..10), door) {
            (0..=2, Some(door)) if door.open => format!("go to {}", door.to),
            (0..=2, Some(door)) => format!("open door to {}", door.to),
            (3, Some(door)) if door.open => format!("close door to {}", door.to),
            (4, _) => return format_low(low.action, !low.finished),
            (5, _) => format!("pick up {thing}"),
            (6, _) => format!("open {thing}"),
            (7, _) => match held.choose(&mut self.rng) {
                Some(held) => format!("drop {held}"),
                None => format!("close {thing}"),
            },
            (8, _) => format!("activate {thing}"),
            _ => "look around".to_owned(),
        };
        format_low(&command, low.finished && self.rng.random_bool(0.3))
    }
}

impl Policy for NoisyExpert {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        let right = Expert.answer(frame).map_err(PolicyError::new)?;
        Ok(Utterance::free(self.err(frame, right)))
    }
}
