//! Forms of a policy: the method, and what is left of it when a part is taken away.
//!
//! The ablations of the paper (no progress, no hierarchy) and the baseline that it is compared with (all of the history). All of
//! them are asked in frames of the one layout, so that they are trained, exported and played by the same programs; a policy
//! must be played in the form it was trained in. [`Formed`] stands between agent and policy and answers what the form has no
//! level for.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stride_firmware_config::capacity;
use stride_firmware_config::frame::StepFrame;

use crate::agent::Limits;
use crate::one_call::Ahead;
use crate::policy::{Policy, PolicyError, Utterance};

/// Which levels a policy has, and what it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// The whole method: subtasks, actions, progress.
    #[default]
    Hierarchical,
    /// The whole method; the progress and the next action are said in one call.
    OneCall,
    /// Subtasks and actions; the progress is blank, and nobody writes it.
    NoProgress,
    /// Actions and progress; the task itself stands where the subtask does, and no flag ends it.
    Flat,
    /// Actions alone, after the task and a transcript of the episode, which stands where the progress does. What it is shown
    /// grows with the episode, up to [`TRANSCRIPT`].
    History,
}

/// Bytes of a transcript at most; older steps are forgotten.
pub const TRANSCRIPT: usize = 2048;

/// Not the name of a form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no form of a policy: hierarchical, one-call, no-progress, flat, history")]
pub struct UnknownForm(String);

impl Form {
    /// All forms.
    pub const ALL: [Self; 5] = [
        Self::Hierarchical,
        Self::OneCall,
        Self::NoProgress,
        Self::Flat,
        Self::History,
    ];

    /// The form's name, as flags have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hierarchical => "hierarchical",
            Self::OneCall => "one-call",
            Self::NoProgress => "no-progress",
            Self::Flat => "flat",
            Self::History => "history",
        }
    }

    /// Whether a high level names subtasks.
    #[must_use]
    pub const fn has_subtasks(self) -> bool {
        matches!(self, Self::Hierarchical | Self::OneCall | Self::NoProgress)
    }

    /// Whether a progress is written.
    #[must_use]
    pub const fn has_progress(self) -> bool {
        matches!(self, Self::Hierarchical | Self::OneCall | Self::Flat)
    }

    /// The limits that an agent of this form has: a task is not closed as a subtask is.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Limits {
        if self.has_subtasks() {
            return limits;
        }
        Limits {
            actions_per_subtask: u32::MAX,
            repeats: 0,
            progress: capacity::PROGRESS,
            ..limits
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(text: &str) -> Result<Self, UnknownForm> {
        Self::ALL
            .into_iter()
            .find(|form| form.name() == text)
            .ok_or_else(|| UnknownForm(text.to_owned()))
    }
}

/// What was seen and done so far: the newest steps in at most [`TRANSCRIPT`] bytes.
#[derive(Debug, Clone, Default)]
pub struct Transcript {
    steps: VecDeque<String>,
    bytes: usize,
}

/// Stands between two steps of a transcript.
const BETWEEN: &str = " || ";

impl Transcript {
    /// Adds a step; the oldest are forgotten when they do not fit any more.
    pub fn push(&mut self, observation: &str, action: &str) {
        let step = format!("{observation} > {action}");
        self.bytes += step.len() + BETWEEN.len();
        self.steps.push_back(step);
        while self.bytes > TRANSCRIPT
            && let Some(oldest) = self.steps.pop_front()
        {
            self.bytes -= oldest.len() + BETWEEN.len();
        }
    }

    /// The steps, `observation > action || observation > action`; empty before the first.
    #[must_use]
    pub fn text(&self) -> String {
        let steps: Vec<&str> = self.steps.iter().map(String::as_str).collect();
        steps.join(BETWEEN)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// A policy of some form behind one that is asked for all three levels.
///
/// Unlike other policies it remembers the episode it is in, if its form needs that. An episode begins with the high-level frame
/// that no subtask comes before.
#[derive(Debug, Clone)]
pub struct Formed<P> {
    form: Form,
    policy: P,
    task: String,
    seen: String,
    transcript: Transcript,
    ahead: Ahead,
}

impl<P: Policy> Formed<P> {
    /// Asks `policy` as one of this form.
    pub fn new(form: Form, policy: P) -> Self {
        Self {
            form,
            policy,
            task: String::new(),
            seen: String::new(),
            transcript: Transcript::default(),
            ahead: Ahead::default(),
        }
    }

    /// A frame of the form [`Form::OneCall`].
    fn in_one_call(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        match *frame {
            StepFrame::High { .. } => {
                self.ahead.forget();
                self.policy.utter(frame)
            }
            StepFrame::Low {
                subtask,
                observation,
                ..
            } => {
                let said = match self.ahead.take(subtask, observation) {
                    Some(low) => Utterance::free(low),
                    None => self.policy.utter(frame)?,
                };
                self.ahead.said(&said.text);
                Ok(said)
            }
            StepFrame::Progress {
                scene,
                observation,
                subtask,
                progress,
                action,
            } => {
                let mut said = self.policy.utter(&StepFrame::Progress {
                    scene,
                    observation,
                    subtask,
                    progress,
                    action: &self.ahead.done(action),
                })?;
                said.text = self.ahead.keep(subtask, observation, &said.text);
                Ok(said)
            }
        }
    }
}

impl<P: Policy> Policy for Formed<P> {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        match *frame {
            _ if self.form == Form::OneCall => self.in_one_call(frame),
            StepFrame::High {
                task, completed, ..
            } if !self.form.has_subtasks() => {
                if completed.issued() == 0 {
                    self.transcript.clear();
                }
                task.clone_into(&mut self.task);
                Ok(Utterance::free(task))
            }
            StepFrame::Progress { action, .. } if !self.form.has_progress() => {
                if self.form == Form::History {
                    self.transcript.push(&self.seen, action);
                }
                Ok(Utterance::free(""))
            }
            // The agent may have cut the task to the length of a subtask.
            StepFrame::Low {
                scene,
                observation,
                progress,
                ..
            } if !self.form.has_subtasks() => {
                observation.clone_into(&mut self.seen);
                let transcript = self.transcript.text();
                self.policy.utter(&StepFrame::Low {
                    scene,
                    observation,
                    subtask: &self.task,
                    progress: if self.form == Form::History {
                        &transcript
                    } else {
                        progress
                    },
                })
            }
            StepFrame::Progress {
                scene,
                observation,
                progress,
                action,
                ..
            } if !self.form.has_subtasks() => self.policy.utter(&StepFrame::Progress {
                scene,
                observation,
                subtask: &self.task,
                progress,
                action,
            }),
            _ => self.policy.utter(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Silent;
    use crate::one_call;
    use crate::transition::FrameText;
    use crate::{agent::StepAgent, utterance};

    /// Says what its form is asked for, and keeps the frames.
    #[derive(Default)]
    struct Scripted(Vec<FrameText>);

    impl Policy for Scripted {
        fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
            self.0.push(FrameText::from(frame));
            Ok(Utterance::free(match frame {
                StepFrame::High { .. } => "a subtask".to_owned(),
                StepFrame::Low { .. } => {
                    utterance::format_low(&format!("go {}", self.0.len()), false)
                }
                StepFrame::Progress { action, .. } if action.contains("; ") => {
                    one_call::join("some progress", "go on; False")
                }
                StepFrame::Progress { .. } => "some progress".to_owned(),
            }))
        }
    }

    /// Three steps with a task that is longer than a subtask may be.
    fn frames(form: Form) -> Vec<FrameText> {
        let task = "put a mug in the sink ".repeat(10);
        let mut policy = Formed::new(form, Scripted::default());
        let limits = form.limits(Limits {
            actions_per_subtask: 2,
            ..Limits::default()
        });
        let mut agent = StepAgent::begin(&task, "", limits, &mut Silent);
        for step in 0..3 {
            if step > 0 {
                let seen = format!("seen {step}");
                agent
                    .observe(&mut policy, &seen, false, &mut Silent)
                    .unwrap();
            }
            let seen = format!("seen {step}");
            agent.decide(&mut policy, &seen, &mut Silent).unwrap();
        }
        policy.policy.0
    }

    fn levels(frames: &[FrameText]) -> String {
        let letter = |frame: &FrameText| match frame {
            FrameText::High { .. } => 'h',
            FrameText::Low { .. } => 'l',
            FrameText::Progress { .. } => 'p',
        };
        frames.iter().map(letter).collect()
    }

    #[test]
    fn every_form_is_asked_for_its_levels_only() {
        assert_eq!(levels(&frames(Form::Hierarchical)), "hlplphl");
        // The second action was said with the progress before it.
        assert_eq!(levels(&frames(Form::OneCall)), "hlpphl");
        assert_eq!(levels(&frames(Form::NoProgress)), "hllhl");
        assert_eq!(levels(&frames(Form::Flat)), "lplpl");
        assert_eq!(levels(&frames(Form::History)), "lll");
    }

    #[test]
    fn a_flat_policy_sees_the_whole_task_and_its_progress() {
        for frame in frames(Form::Flat).iter().skip(2) {
            let (subtask, progress) = match frame {
                FrameText::Low {
                    subtask, progress, ..
                }
                | FrameText::Progress {
                    subtask, progress, ..
                } => (subtask, progress),
                FrameText::High { .. } => panic!("it has no high level"),
            };
            assert_eq!(
                subtask.trim_end(),
                "put a mug in the sink ".repeat(10).trim_end()
            );
            assert_eq!(progress, "some progress");
        }
    }

    #[test]
    fn a_history_policy_sees_every_step_of_its_own_episode() {
        let frames = frames(Form::History);
        let FrameText::Low {
            progress,
            observation,
            ..
        } = &frames[2]
        else {
            panic!("it has one level");
        };
        assert_eq!(progress, "seen 0 > go 1 || seen 1 > go 2");
        assert_eq!(observation, "seen 2");
    }

    #[test]
    fn the_oldest_steps_are_forgotten() {
        let mut transcript = Transcript::default();
        let seen = "x".repeat(TRANSCRIPT / 4);
        for step in 0..9 {
            transcript.push(&seen, &format!("go {step}"));
        }
        let text = transcript.text();
        assert!(text.len() <= TRANSCRIPT, "{}", text.len());
        assert_eq!(text.split(BETWEEN).count(), 3);
        assert!(text.ends_with("> go 8"));
    }

    #[test]
    fn names_are_read_back() {
        for form in Form::ALL {
            assert_eq!(form.name().parse(), Ok(form));
        }
        let error = "deep".parse::<Form>().unwrap_err();
        assert!(error.to_string().contains("no-progress"), "{error}");
    }
}
