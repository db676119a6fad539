//! The last steps of an episode, so that a lost one can be understood without playing it again.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::Serialize;
use stride_agent::event::{CloseReason, Event, Observer};
use stride_agent::text::bounded;
use stride_firmware_config::level::PolicyLevel;

/// Steps that are kept, and steps without anything new that make a loop.
pub const LAST: usize = 10;

/// One step as it was seen from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct TrailStep {
    /// Its number in the episode, from 1.
    pub step: u32,
    /// The subtask it belongs to.
    pub subtask: String,
    /// The action.
    pub action: String,
    /// The policy said that the action finishes the subtask.
    pub finished: bool,
    /// The world did not understand the action or could not do it.
    pub invalid: bool,
    /// The answer, cut as for a frame of the standard profile.
    pub observation: String,
    /// The progress after it; empty when none was asked for.
    pub progress: String,
    /// What the agent did on its own: replaced an utterance, closed a subtask.
    pub notes: Vec<String>,
}

/// Keeps the last [`LAST`] steps, and notices when nothing new happens.
#[derive(Debug, Default)]
pub struct Trail {
    subtask: String,
    steps: VecDeque<TrailStep>,
    /// Said between two actions; belongs to the action that follows.
    notes: Vec<String>,
    seen: HashSet<u64>,
    stale: usize,
}

impl Trail {
    /// Whether each of the last [`LAST`] actions brought an answer that the same action had brought before.
    #[must_use]
    pub fn loops(&self) -> bool {
        self.stale >= LAST
    }

    /// The last steps, in order.
    #[must_use]
    pub fn into_steps(self) -> Vec<TrailStep> {
        self.steps.into()
    }

    fn acted(&mut self, step: TrailStep, observation: &str) {
        let mut hasher = DefaultHasher::new();
        (&step.action, observation).hash(&mut hasher);
        if self.seen.insert(hasher.finish()) {
            self.stale = 0;
        } else {
            self.stale += 1;
        }
        if self.steps.len() == LAST {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
    }
}

impl Observer for Trail {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::SubtaskBegan { subtask, .. } => subtask.clone_into(&mut self.subtask),
            Event::Acted {
                step,
                action,
                finished,
                outcome,
                ..
            } => {
                let notes = std::mem::take(&mut self.notes);
                let entry = TrailStep {
                    step: step + 1,
                    subtask: self.subtask.clone(),
                    action: action.to_owned(),
                    finished,
                    invalid: outcome.invalid,
                    observation: bounded(&outcome.observation),
                    progress: String::new(),
                    notes,
                };
                self.acted(entry, &outcome.observation);
            }
            Event::Uttered { frame, text, .. } if frame.level() == PolicyLevel::Progress => {
                if let Some(last) = self.steps.back_mut() {
                    last.progress = bounded(text);
                }
            }
            Event::SubtaskClosed { reason } => {
                let note = match reason {
                    CloseReason::Cap => "the subtask was closed at its cap of actions",
                    CloseReason::Loop => "the subtask was closed because the agent repeats itself",
                };
                if let Some(last) = self.steps.back_mut() {
                    last.notes.push(note.to_owned());
                }
            }
            Event::Repaired { text, .. } => {
                self.notes.push(format!("replaced: {}", bounded(text)));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use stride_agent::environment::Outcome;

    use super::*;
    use crate::testing;

    #[test]
    fn keeps_the_last_steps() {
        let mut trail = Trail::default();
        testing::play(14, &mut trail);
        assert!(!trail.loops());
        let steps = trail.into_steps();
        assert_eq!(steps.len(), LAST);
        assert_eq!((steps[0].step, steps[9].step), (5, 14));
        assert_eq!(steps[0].subtask, "walk on");
        assert_eq!(steps[9].observation, "You stand at 14.");
        assert_eq!((&*steps[8].progress, &*steps[9].progress), (".", ""));
        assert_eq!(steps[7].progress, "..");
    }

    #[test]
    fn a_loop_is_a_row_of_steps_without_anything_new() {
        let mut trail = Trail::default();
        let mut act = |step: u32, action: &str, observation: String| {
            let outcome = Outcome {
                observation,
                reward: 0.0,
                score: 0.0,
                done: false,
                won: false,
                invalid: false,
            };
            trail.event(&Event::Acted {
                step,
                action,
                finished: false,
                outcome: &outcome,
                micros: 0,
            });
            trail.loops()
        };
        // Two places, there and back: the first visit of each is new.
        let mut found = (0..12).map(|step| act(step, "go", format!("place {}", step % 2)));
        assert!(found.by_ref().take(11).all(|loops| !loops));
        assert_eq!(found.next(), Some(true));
        drop(found);
        assert!(!act(12, "go", "elsewhere".repeat(1000)));
        assert!(trail.into_steps()[LAST - 1].observation.ends_with("[cut]"));
    }
}
