//! One agent: an observation in, an action out (method section 4).
//!
//! All that [`StepAgent`] remembers is its [`AgentState`], so it can be stored after every step and
//! continued by another process. A call that fails leaves the state as it was.

use stride_firmware_config::capacity;
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::profile::DeviceProfile;
use stride_firmware_config::state::{AgentState, Phase};
use stride_firmware_config::text::{BoundedText, Overflow};

use crate::event::{CloseReason, Event, Observer};
use crate::policy::{Policy, PolicyError, Utterance};
use crate::utterance::{format_low, normalise, parse_low};

/// Caps of one agent. All have the defaults of the standard device profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the task instruction.
    pub task: usize,
    /// Bytes of the scene.
    pub scene: usize,
    /// Bytes of one observation.
    pub observation: usize,
    /// Bytes of one subtask.
    pub subtask: usize,
    /// Bytes of the progress.
    pub progress: usize,
    /// Issued subtasks that are remembered by name.
    pub completed: usize,
    /// Actions after which a subtask is closed although the policy has not finished it.
    pub actions_per_subtask: u32,
    /// Steps in a row with the same action and the same observation after which a subtask is closed; 0 never.
    pub repeats: u16,
    /// Sent when a low-level utterance does not parse (method section 12.8): it must be harmless in the world at hand.
    pub fallback_action: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of_profile(&DeviceProfile::standard())
    }
}

impl Limits {
    /// The limits of a device profile. The harmless action is `look`.
    #[must_use]
    pub fn of_profile(profile: &DeviceProfile) -> Self {
        let capacities = &profile.capacities;
        Self {
            task: capacities.task,
            scene: capacities.scene,
            observation: capacities.observation,
            subtask: capacities.subtask,
            progress: capacities.progress,
            completed: capacities.completed,
            actions_per_subtask: profile.limits.actions_per_subtask,
            repeats: profile.limits.repeats,
            fallback_action: "look".into(),
        }
    }
}

/// What the agent decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The action to send to the environment.
    pub action: String,
    /// The policy says that this action finishes the subtask.
    pub finished: bool,
}

/// Why a step failed. The state is as before the call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The policy could not answer.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// `observe` without an action before it, or `decide` on an ended episode.
    #[error("the agent is in phase {found:?}, and {call} needs {needed}")]
    Phase {
        /// The method that was called.
        call: &'static str,
        /// The phase the agent is in.
        found: Phase,
        /// What the method needs.
        needed: &'static str,
    },
}

/// One agent. See the module's text.
#[derive(Debug, Clone)]
pub struct StepAgent {
    state: AgentState,
    limits: Limits,
}

impl StepAgent {
    /// Starts an episode. A task or scene longer than its buffer is cut, marked and counted.
    pub fn begin(task: &str, scene: &str, limits: Limits, observer: &mut dyn Observer) -> Self {
        let mut state = AgentState::default();
        let dropped = store(&mut state.task, "task", task.trim(), limits.task, observer)
            + store(
                &mut state.scene,
                "scene",
                scene.trim(),
                limits.scene,
                observer,
            );
        state.dropped_bytes = dropped;
        Self { state, limits }
    }

    /// Continues from a stored state.
    #[must_use]
    pub fn resume(state: AgentState, limits: Limits) -> Self {
        Self { state, limits }
    }

    /// All that the agent remembers.
    #[must_use]
    pub fn state(&self) -> &AgentState {
        &self.state
    }

    /// Takes in the result of the last action: the progress policy rewrites the progress, and the subtask is closed
    /// when the policy finished it with an action that the world accepted, when it reached its cap, or when the agent
    /// repeats itself.
    ///
    /// # Errors
    /// [`AgentError`]; the state is then unchanged.
    pub fn observe<P: Policy + ?Sized>(
        &mut self,
        policy: &mut P,
        observation: &str,
        invalid: bool,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        if self.state.phase != Phase::Acted {
            return Err(self.wrong_phase("observe", "a decision before it"));
        }
        let mut next = self.state.clone();
        let seen = self.clip(observation, &mut next, observer);
        let frame = StepFrame::Progress {
            scene: &self.state.scene,
            observation: &seen,
            subtask: &self.state.subtask,
            progress: &self.state.progress,
            action: &self.state.last_action,
        };
        let utterance = ask(policy, &frame, observer)?;
        let dropped = store(
            &mut next.progress,
            "progress",
            &utterance.text,
            self.limits.progress,
            observer,
        );
        next.dropped_bytes = next.dropped_bytes.saturating_add(dropped);
        let hash = hash_step(&self.state.last_action, observation);
        next.repeats = if hash == self.state.observation_hash {
            self.state.repeats.saturating_add(1)
        } else {
            0
        };
        next.observation_hash = hash;
        next.phase = Phase::HasSubtask;
        if self.state.last_flag && !invalid {
            next.phase = Phase::NeedsSubtask;
        } else if let Some(reason) = self.must_close(&next) {
            observer.event(&Event::SubtaskClosed { reason });
            next.phase = Phase::NeedsSubtask;
        }
        self.state = next;
        Ok(())
    }

    /// Chooses the next action: the high-level policy names a subtask when none is open, then the low-level policy acts.
    ///
    /// # Errors
    /// [`AgentError`]; the state is then unchanged.
    pub fn decide<P: Policy + ?Sized>(
        &mut self,
        policy: &mut P,
        observation: &str,
        observer: &mut dyn Observer,
    ) -> Result<Decision, AgentError> {
        if !matches!(self.state.phase, Phase::NeedsSubtask | Phase::HasSubtask) {
            return Err(self.wrong_phase("decide", "the result of the last action first"));
        }
        let mut next = self.state.clone();
        let seen = self.clip(observation, &mut next, observer);
        if next.phase == Phase::NeedsSubtask {
            self.choose_subtask(policy, &seen, &mut next, observer)?;
        }
        let frame = StepFrame::Low {
            scene: &next.scene,
            observation: &seen,
            subtask: &next.subtask,
            progress: &next.progress,
        };
        let utterance = ask(policy, &frame, observer)?;
        let decision = match parse_low(&utterance.text) {
            Ok(low) if low.action.len() <= capacity::ACTION => Decision {
                action: low.action.to_owned(),
                finished: low.finished,
            },
            parsed => {
                next.malformed = next.malformed.saturating_add(1);
                let action = &self.limits.fallback_action;
                observer.event(&Event::Repaired {
                    problem: parsed.err(),
                    text: &utterance.text,
                    action,
                });
                Decision {
                    action: action.clone(),
                    finished: false,
                }
            }
        };
        store(
            &mut next.last_action,
            "action",
            &decision.action,
            capacity::ACTION,
            observer,
        );
        next.last_flag = decision.finished;
        next.steps = next.steps.saturating_add(1);
        next.subtask_steps = next.subtask_steps.saturating_add(1);
        next.phase = Phase::Acted;
        self.state = next;
        Ok(decision)
    }

    /// Marks the episode as over: the world has ended it. No policy is asked.
    pub fn end(&mut self) {
        self.state.phase = Phase::Ended;
    }

    fn choose_subtask<P: Policy + ?Sized>(
        &self,
        policy: &mut P,
        observation: &str,
        next: &mut AgentState,
        observer: &mut dyn Observer,
    ) -> Result<(), AgentError> {
        let frame = StepFrame::High {
            scene: &self.state.scene,
            observation,
            task: &self.state.task,
            completed: &self.state.completed,
            progress: &next.progress,
        };
        let utterance = ask(policy, &frame, observer)?;
        // A planner that says nothing leaves the agent with the task itself: the flat policy.
        let subtask = if utterance.text.is_empty() {
            next.malformed = next.malformed.saturating_add(1);
            self.state.task.as_str()
        } else {
            &utterance.text
        };
        let dropped = store(
            &mut next.subtask,
            "subtask",
            subtask,
            self.limits.subtask,
            observer,
        );
        next.dropped_bytes = next.dropped_bytes.saturating_add(dropped);
        let index = next.completed.issued();
        let issued = next.subtask.clone();
        next.completed.push(&issued, self.limits.completed);
        observer.event(&Event::SubtaskBegan {
            index,
            subtask: &issued,
        });
        next.progress.clear();
        next.subtask_steps = 0;
        next.repeats = 0;
        next.observation_hash = 0;
        Ok(())
    }

    fn must_close(&self, next: &AgentState) -> Option<CloseReason> {
        if next.subtask_steps >= self.limits.actions_per_subtask {
            Some(CloseReason::Cap)
        } else if self.limits.repeats > 0 && next.repeats >= self.limits.repeats {
            Some(CloseReason::Loop)
        } else {
            None
        }
    }

    fn clip(
        &self,
        observation: &str,
        next: &mut AgentState,
        observer: &mut dyn Observer,
    ) -> BoundedText<{ capacity::OBSERVATION }> {
        let mut seen = BoundedText::new();
        let dropped = store(
            &mut seen,
            "observation",
            observation.trim(),
            self.limits.observation,
            observer,
        );
        next.dropped_bytes = next.dropped_bytes.saturating_add(dropped);
        seen
    }

    fn wrong_phase(&self, call: &'static str, needed: &'static str) -> AgentError {
        AgentError::Phase {
            call,
            found: self.state.phase,
            needed,
        }
    }
}

/// Asks one level, times the call, normalises the answer and tells the observer.
fn ask<P: Policy + ?Sized>(
    policy: &mut P,
    frame: &StepFrame<'_>,
    observer: &mut dyn Observer,
) -> Result<Utterance, PolicyError> {
    let start = observer.now_micros();
    let utterance = policy.utter(frame)?;
    let micros = observer.now_micros().saturating_sub(start);
    let text = match frame {
        StepFrame::Low { .. } => match parse_low(&utterance.text) {
            Ok(low) => format_low(low.action, low.finished),
            Err(_) => utterance.text.clone(),
        },
        _ => normalise(&utterance.text).to_owned(),
    };
    observer.event(&Event::Uttered {
        frame,
        text: &text,
        cost: utterance.cost,
        micros,
    });
    Ok(Utterance {
        text,
        cost: utterance.cost,
    })
}

/// Stores a text, cut if need be, and returns the bytes that were dropped.
fn store<const N: usize>(
    buffer: &mut BoundedText<N>,
    field: &'static str,
    text: &str,
    limit: usize,
    observer: &mut dyn Observer,
) -> u32 {
    // Cutting never refuses, so the error arm cannot be reached; it counts the whole text as lost.
    let dropped = buffer
        .set_within(text, limit, Overflow::Cut)
        .map_or(text.len(), |kept| kept.dropped);
    if dropped > 0 {
        observer.event(&Event::Cut { field, dropped });
    }
    u32::try_from(dropped).unwrap_or(u32::MAX)
}

/// FNV-1a over action and observation; 0 is kept for "nothing yet".
fn hash_step(action: &str, observation: &str) -> u32 {
    let bytes = action.bytes().chain([0]).chain(observation.bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
