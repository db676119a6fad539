//! The expert with errors on purpose, to reach states off its own path; the expert itself labels them.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::utterance::{format_low, parse_low};
use stride_environments::scienceworld::HARMLESS_ACTION;
use stride_environments::scienceworld::view::View;
use stride_firmware_config::frame::StepFrame;

use super::Expert;
use crate::expert::noise::ErrorRates;

/// Share of the wrong progress texts that are the old one; the others are forgotten.
const NOT_REWRITTEN: f64 = 0.7;

/// Share of the wrong actions in place of a last one that still claim to finish the subtask.
const KEPT_FLAG: f64 = 0.3;

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
                completed.last().map_or(right, str::to_owned)
            }
            StepFrame::Low { observation, .. } if self.rng.random_bool(self.rates.low) => {
                self.wrong_action(&View::read(observation), &right)
            }
            StepFrame::Progress { progress, .. } if self.rng.random_bool(self.rates.progress) => {
                if self.rng.random_bool(NOT_REWRITTEN) {
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
        // Tenths: walking about is what leads off the path, so it is most of it.
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
            _ => HARMLESS_ACTION.to_owned(),
        };
        format_low(&command, low.finished && self.rng.random_bool(KEPT_FLAG))
    }
}

impl Policy for NoisyExpert {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        let right = Expert.answer(frame).map_err(PolicyError::new)?;
        Ok(Utterance::free(self.err(frame, right)))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn noisy(rate: f64, seed: u64) -> NoisyExpert {
        let rates = ErrorRates {
            low: rate,
            progress: rate,
            high: rate,
        };
        NoisyExpert::new(rates, ChaCha8Rng::seed_from_u64(seed))
    }

    const FRAME: StepFrame<'_> = StepFrame::Low {
        scene: "",
        observation: "kitchen: metal pot [water]; oven off closed | doors: hallway open | holding: orange",
        subtask: "focus on water in metal pot",
        progress: "",
    };

    #[test]
    fn errs_but_never_by_a_focus() {
        let right = Expert.answer(&FRAME).unwrap();
        let mut said = std::collections::BTreeSet::new();
        for seed in 0..300 {
            let utterance = noisy(1.0, seed).utter(&FRAME).unwrap().text;
            assert_eq!(utterance, noisy(1.0, seed).utter(&FRAME).unwrap().text);
            assert_eq!(noisy(0.0, seed).utter(&FRAME).unwrap().text, right);
            let wrong_flag = utterance == "focus on water in metal pot; False";
            assert!(wrong_flag || !utterance.starts_with("focus"), "{utterance}");
            said.insert(utterance);
        }
        assert!(said.len() > 10 && !said.contains(&right), "{said:?}");
    }
}
