//! How long the frames of an episode were, and what did not fit.

use std::collections::BTreeMap;

use serde::Serialize;
use stride_agent::event::{Event, Observer};
use stride_firmware_config::level::PolicyLevel;

/// Texts of one buffer that did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Cut {
    /// How many texts; an observation counts once, however many frames show it.
    pub texts: u64,
    /// Bytes that were dropped from them.
    pub bytes: u64,
}

/// What was cut, by buffer: task, scene, observation, subtask, progress or action.
pub type Cuts = BTreeMap<&'static str, Cut>;

/// One call's frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prompt {
    /// The level that was asked.
    pub level: PolicyLevel,
    /// Tokens of the frame, cached or not.
    pub tokens: u32,
}

/// Collects the length of every frame, and the cuts.
#[derive(Debug, Default)]
pub struct Frames {
    prompts: Vec<Prompt>,
    cuts: Cuts,
    /// The running observation was cut and counted.
    counted: bool,
}

impl Frames {
    /// The frames in the order of the calls, and the cuts.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Prompt>, Cuts) {
        (self.prompts, self.cuts)
    }
}

/// The buffer that the progress and the deciding frame of one observation both show.
pub const OBSERVATION: &str = "observation";

impl Observer for Frames {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Uttered { frame, cost, .. } => self.prompts.push(Prompt {
                level: frame.level(),
                tokens: cost.prompt_tokens,
            }),
            Event::Acted { .. } => self.counted = false,
            Event::Cut { field, dropped } => {
                if field == OBSERVATION && std::mem::replace(&mut self.counted, true) {
                    return;
                }
                let cut = self.cuts.entry(field).or_default();
                cut.texts += 1;
                cut.bytes += dropped as u64;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use stride_agent::agent::Limits;
    use stride_agent::episode;

    use super::*;
    use crate::testing::{Corridor, Walker};

    #[test]
    fn an_observation_is_cut_once_although_two_frames_show_it() {
        let limits = Limits {
            observation: 8,
            ..Limits::default()
        };
        let mut frames = Frames::default();
        episode::play(&mut Corridor::new(3), &mut Walker, &limits, 50, &mut frames).unwrap();
        let (prompts, cuts) = frames.into_parts();
        // The first observation and those after the first two actions; the third action wins.
        let text = "You stand at 0.".len();
        let kept = cuts["observation"];
        assert_eq!(kept.texts, 3);
        assert!(kept.bytes >= 3 * (text as u64 - 8), "{kept:?}");
        assert_eq!(cuts.len(), 1);
        let of = |level| prompts.iter().filter(|p| p.level == level).count();
        assert_eq!(PolicyLevel::ALL.map(of), [2, 3, 2]);
        assert!(prompts.iter().all(|prompt| prompt.tokens == 10));
    }
}
