//! Builds augmented step-level transitions from the events of one episode (method section 6.1).

use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::state::AgentState;

use crate::event::{Event, Observer};
use crate::transition::{EndKind, FrameText, Source, Transition};
use crate::utterance::parse_low;

/// One call of a policy, and what the world said to the step it belongs to.
#[derive(Debug, Clone)]
struct Call {
    state: FrameText,
    utterance: String,
    subtask_index: u32,
    step_index: u32,
}

/// One step of the world.
#[derive(Debug, Clone, Copy)]
struct Step {
    reward: f32,
    invalid: bool,
    finished: bool,
    subtask_index: u32,
}

/// Watches one episode and turns it into transitions.
///
/// The corrected construction is used: emitted flags are labels and boundaries, no flag is invented for an unfinished
/// subtask, a truncated episode is bootstrapped from its last state, and every `s'` is built together with its `s`.
#[derive(Debug, Clone)]
pub struct Recorder {
    game: String,
    source: Source,
    calls: Vec<Call>,
    /// The steps of the world, from `first_step` on.
    steps: Vec<Step>,
    first_step: u32,
    subtasks: u32,
    last_observation: String,
}

impl Recorder {
    /// A recorder for one episode of `game`, whose utterances come from `source`.
    ///
    /// Self-declared completion is rewarded only for [`Source::Expert`], whose flags are true by construction, or when the
    /// environment paid a reward inside the subtask (method section 6.1).
    #[must_use]
    pub fn new(game: impl Into<String>, source: Source) -> Self {
        Self::joining(game, source, 0, 0)
    }

    /// A recorder that joins an episode in its course: the first step that it hears of is `first_step`, and `subtasks` were
    /// issued before. Rewards inside the current subtask that it did not hear of count as none.
    #[must_use]
    pub fn joining(
        game: impl Into<String>,
        source: Source,
        first_step: u32,
        subtasks: u32,
    ) -> Self {
        Self {
            game: game.into(),
            source,
            calls: Vec::new(),
            steps: Vec::new(),
            first_step,
            subtasks,
            last_observation: String::new(),
        }
    }

    /// The transitions of the episode, in the order of the calls. `state` is the agent at its end. A call whose action was never
    /// answered by the world is no transition, only the next state of the one before.
    #[must_use]
    pub fn finish(self, end: EndKind, state: &AgentState) -> Vec<Transition> {
        let mut out = Vec::with_capacity(self.calls.len());
        for (at, call) in self.calls.iter().enumerate() {
            if self.step(call).is_none() {
                continue;
            }
            let next_call = self.calls[at + 1..]
                .iter()
                .find(|later| later.state.level() == call.state.level());
            let (reward, span, done) = match &call.state {
                FrameText::High { .. } => self.high_outcome(call, end),
                FrameText::Low { .. } => self.low_outcome(call, end),
                FrameText::Progress { .. } => self.progress_outcome(call, next_call, end),
            };
            let next = match next_call {
                Some(later) => Some(later.state.clone()),
                None if done || end != EndKind::Truncated => None,
                None => self.bootstrap(&call.state, state),
            };
            out.push(Transition {
                game: self.game.clone(),
                subtask_index: call.subtask_index,
                step_index: call.step_index,
                state: call.state.clone(),
                utterance: call.utterance.clone(),
                reward,
                span,
                done,
                next,
                source: self.source,
                end,
            });
        }
        out
    }

    /// Sum of environment rewards over the group; `done` when the world ended the episode in it.
    fn high_outcome(&self, call: &Call, end: EndKind) -> (f32, u32, bool) {
        let group = self.group(call.subtask_index);
        let reward = group.clone().map(|step| step.reward).sum();
        let span = u32::try_from(group.count()).unwrap_or(u32::MAX);
        let last = call.subtask_index + 1 == self.subtasks;
        (reward, span, last && end != EndKind::Truncated)
    }

    fn low_outcome(&self, call: &Call, end: EndKind) -> (f32, u32, bool) {
        let Some(step) = self.step(call) else {
            return (0.0, 1, true);
        };
        let last = call.step_index + 1 == self.next_step();
        if last && end == EndKind::Success {
            return (1.0, 1, true);
        }
        if last && end == EndKind::Failure {
            return (if step.invalid { -1.0 } else { 0.0 }, 1, true);
        }
        if step.invalid {
            return (-1.0, 1, false);
        }
        let verified =
            self.source == Source::Expert || self.group(call.subtask_index).any(|s| s.reward > 0.0);
        let reward = if step.finished && verified { 1.0 } else { 0.0 };
        (reward, 1, step.finished)
    }

    /// Reward and boundary of the low transition of the same step; the writer of the last summary shares the terminal credit.
    fn progress_outcome(
        &self,
        call: &Call,
        next_call: Option<&Call>,
        end: EndKind,
    ) -> (f32, u32, bool) {
        let credited = if next_call.is_none() && end != EndKind::Truncated {
            Call {
                step_index: self.next_step().saturating_sub(1),
                ..call.clone()
            }
        } else {
            call.clone()
        };
        self.low_outcome(&credited, end)
    }

    /// `s'` of the last transition of a truncated episode, from the newest progress and observation.
    /// The next progress frame needs an action that was never chosen, so there is none.
    fn bootstrap(&self, state: &FrameText, state_now: &AgentState) -> Option<FrameText> {
        let frame = match state {
            FrameText::High { .. } => StepFrame::High {
                scene: &state_now.scene,
                observation: &self.last_observation,
                task: &state_now.task,
                completed: &state_now.completed,
                progress: &state_now.progress,
            },
            FrameText::Low { .. } => StepFrame::Low {
                scene: &state_now.scene,
                observation: &self.last_observation,
                subtask: &state_now.subtask,
                progress: &state_now.progress,
            },
            FrameText::Progress { .. } => return None,
        };
        Some(FrameText::from(&frame))
    }

    /// The step of the world that a call belongs to, if it was made.
    fn step(&self, call: &Call) -> Option<&Step> {
        let at = call.step_index.checked_sub(self.first_step)?;
        self.steps.get(at as usize)
    }

    /// The index of the step that comes next.
    fn next_step(&self) -> u32 {
        let steps = u32::try_from(self.steps.len()).unwrap_or(u32::MAX);
        self.first_step.saturating_add(steps)
    }

    fn group(&self, index: u32) -> impl Iterator<Item = &Step> + Clone {
        self.steps
            .iter()
            .filter(move |step| step.subtask_index == index)
    }

    /// The episode's low-level utterances, for checks: (action, flag) in order.
    pub fn actions(&self) -> impl Iterator<Item = (&str, bool)> {
        self.calls.iter().filter_map(|call| {
            if !matches!(call.state, FrameText::Low { .. }) {
                return None;
            }
            let low = parse_low(&call.utterance).ok()?;
            Some((low.action, low.finished))
        })
    }
}

impl Observer for Recorder {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Uttered { frame, text, .. } => {
                let level_is_high = matches!(frame, StepFrame::High { .. });
                let steps = self.next_step();
                let step_index = match frame {
                    // The progress call comes after the step it sums up.
                    StepFrame::Progress { .. } => steps.saturating_sub(1),
                    _ => steps,
                };
                let subtask_index = if level_is_high {
                    self.subtasks
                } else {
                    self.subtasks.saturating_sub(1)
                };
                self.calls.push(Call {
                    state: FrameText::from(*frame),
                    utterance: (*text).to_owned(),
                    subtask_index,
                    step_index,
                });
            }
            Event::SubtaskBegan { .. } => self.subtasks += 1,
            Event::Acted {
                outcome, finished, ..
            } => {
                self.last_observation.clone_from(&outcome.observation);
                self.steps.push(Step {
                    reward: outcome.reward,
                    invalid: outcome.invalid,
                    finished: *finished,
                    subtask_index: self.subtasks.saturating_sub(1),
                });
            }
            _ => {}
        }
    }
}
