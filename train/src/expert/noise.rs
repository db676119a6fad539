//! A behaviour policy that errs on purpose.
//!
//! Expert paths alone leave a network lost after its first mistake. This policy follows the expert and now and then does
//! something else, at every level; the frames it reaches are then labelled by the expert itself.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use stride_agent::places::{Name, NameList};
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::utterance::{format_low, parse_low};
use stride_firmware_config::frame::StepFrame;

use super::Expert;
use super::observation::names_in;
use super::progress::{self, Note};

/// How often each level errs, as probabilities per call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ErrorRates {
    /// Another action, or the other flag.
    pub low: f64,
    /// A progress that forgets, invents or misplaces something.
    pub progress: f64,
    /// Another subtask.
    pub high: f64,
}

impl Default for ErrorRates {
    fn default() -> Self {
        Self {
            low: 0.15,
            progress: 0.05,
            high: 0.02,
        }
    }
}

/// The expert, with errors.
#[derive(Debug)]
pub struct NoisyExpert<'a> {
    expert: &'a Expert,
    rates: ErrorRates,
    rng: ChaCha8Rng,
}

impl<'a> NoisyExpert<'a> {
    /// A noisy expert; the same generator state gives the same errors.
    #[must_use]
    pub fn new(expert: &'a Expert, rates: ErrorRates, rng: ChaCha8Rng) -> Self {
        Self { expert, rates, rng }
    }

    fn err(&mut self, frame: &StepFrame<'_>, right: String) -> String {
        match *frame {
            StepFrame::High { completed, .. } if self.rng.random_bool(self.rates.high) => {
                completed.iter().last().map_or(right, str::to_owned)
            }
            StepFrame::Low {
                scene, observation, ..
            } if self.rng.random_bool(self.rates.low) => {
                self.wrong_action(scene, observation, &right)
            }
            StepFrame::Progress { scene, .. } if self.rng.random_bool(self.rates.progress) => {
                self.wrong_progress(scene, &right)
            }
            _ => right,
        }
    }

    fn wrong_action(&mut self, scene: &str, observation: &str, right: &str) -> String {
        let places: Vec<Name> = scene
            .parse::<NameList>()
            .unwrap_or_default()
            .iter()
            .map(|(kind, number)| Name {
                kind: kind.to_owned(),
                number,
            })
            .collect();
        let things = names_in(observation);
        let (Some(place), Ok(low)) = (places.choose(&mut self.rng), parse_low(right)) else {
            return right.to_owned();
        };
        let finished = low.finished;
        let thing = things.choose(&mut self.rng).unwrap_or(place);
        // Where the agent stands, as far as the observation tells: errors there are the ones that matter.
        let here = things.first().unwrap_or(place);
        match self.rng.random_range(0..10) {
            0..=3 => format_low(&format!("go to {place}"), false),
            4 => format_low(low.action, !finished),
            5 => format_low(&format!("take {thing} from {here}"), finished),
            6 => format_low(&format!("open {here}"), false),
            7 => format_low(&format!("close {here}"), false),
            8 => format_low(&shifted(low.action), finished),
            _ => format_low(
                ["look", "inventory", "examine"]
                    .choose(&mut self.rng)
                    .unwrap_or(&"look"),
                false,
            ),
        }
    }

    fn wrong_progress(&mut self, scene: &str, right: &str) -> String {
        let mut progress = progress::read(right);
        let places: NameList = scene.parse().unwrap_or_default();
        let all: Vec<(&str, u32)> = places.iter().collect();
        match self.rng.random_range(0..5) {
            0 | 1 => {
                let checked: Vec<(String, u32)> = progress
                    .checked
                    .iter()
                    .map(|(kind, number)| (kind.to_owned(), number))
                    .collect();
                if let Some((kind, number)) = checked.choose(&mut self.rng) {
                    progress.checked.remove(kind, *number);
                }
            }
            2 => {
                for _ in 0..self.rng.random_range(1..4) {
                    if let Some((kind, number)) = all.choose(&mut self.rng) {
                        progress.checked.insert(kind, *number);
                    }
                }
            }
            3 => {
                if let Some((kind, number)) = all.choose(&mut self.rng) {
                    progress.at = Some(Name {
                        kind: (*kind).to_owned(),
                        number: *number,
                    });
                }
            }
            _ => {
                let notes = [
                    Note::Ready,
                    Note::Closed,
                    Note::HandsEmpty,
                    Note::Failed("take".to_owned()),
                    Note::Failed("go".to_owned()),
                    Note::Failed("move".to_owned()),
                ];
                progress.note = notes.choose(&mut self.rng).cloned().unwrap_or(Note::Ready);
            }
        }
        progress.to_string()
    }
}

/// The action with its first number changed by one: the slip of a network that copies badly.
fn shifted(action: &str) -> String {
    let mut done = false;
    action
        .split(' ')
        .map(|word| match word.parse::<u32>() {
            Ok(number) if !done => {
                done = true;
                if number > 1 { number - 1 } else { number + 1 }.to_string()
            }
            _ => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

impl Policy for NoisyExpert<'_> {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        let right = self.expert.answer(frame).map_err(PolicyError::new)?;
        Ok(Utterance::free(self.err(frame, right)))
    }
}
