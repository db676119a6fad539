//! One step of one agent, from record to record.

use std::time::Instant;

use stride_agent::agent::{AgentError, Limits, StepAgent};
use stride_agent::event::{Event, Observer};
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::transition::FrameText;
use stride_firmware_config::encoding::{self, DecodeError, EncodeError, MAX_ENCODED};
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::state::{AgentState, Phase};

use super::protocol::{Call, StepInput, StepOutcome};

/// A policy that can be held to a list of actions.
pub trait ListedPolicy: Policy {
    /// Answers a frame; a low-level one with one of these actions.
    ///
    /// # Errors
    /// As [`Policy::utter`], and when the list cannot be used.
    fn utter_among(
        &mut self,
        frame: &StepFrame<'_>,
        actions: &[String],
    ) -> Result<Utterance, PolicyError>;
}

/// A policy held to the list of one step, if it has one.
struct Among<'a, P: ?Sized> {
    policy: &'a mut P,
    actions: Option<&'a [String]>,
}

impl<P: ListedPolicy + ?Sized> Policy for Among<'_, P> {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        match (frame, self.actions) {
            (StepFrame::Low { .. }, Some(actions)) => self.policy.utter_among(frame, actions),
            _ => self.policy.utter(frame),
        }
    }
}

/// Why a step could not be made. The agent is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The record of the state is damaged.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The state cannot be written.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The policy could not answer, or the agent's episode is over.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// The record of a state.
///
/// # Errors
/// [`EncodeError`], which no state of this build brings about.
pub fn encode(state: &AgentState) -> Result<Vec<u8>, EncodeError> {
    let mut record = vec![0; MAX_ENCODED];
    let length = encoding::encode(state, &mut record)?;
    record.truncate(length);
    Ok(record)
}

/// Takes the observation in and chooses the next action. An agent that has used up `max_actions`, or its own, takes the observation in,
/// and its episode is over. `tell` has the outcome say what the policy was asked and said.
///
/// # Errors
/// [`StepError`].
pub fn make<P: ListedPolicy + ?Sized>(
    policy: &mut P,
    limits: &Limits,
    max_actions: u32,
    input: &StepInput,
    tell: bool,
) -> Result<StepOutcome, StepError> {
    let mut watch = Watch {
        tell,
        ..Watch::default()
    };
    let policy = &mut Among {
        policy,
        actions: input.actions.as_deref(),
    };
    let mut agent = StepAgent::resume(encoding::decode(&input.state)?, limits.clone());
    if agent.state().phase == Phase::Acted {
        agent.observe(policy, &input.observation, input.invalid, &mut watch)?;
    }
    let most = input
        .max_actions
        .map_or(max_actions, |most| most.min(max_actions));
    let action = if agent.state().steps >= most {
        agent.end();
        None
    } else {
        Some(agent.decide(policy, &input.observation, &mut watch)?.action)
    };
    Ok(StepOutcome {
        state: encode(agent.state())?,
        action,
        ..watch.outcome
    })
}

/// Adds up what the events of a step say.
#[derive(Default)]
struct Watch {
    clock: Clock,
    tell: bool,
    outcome: StepOutcome,
}

struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Observer for Watch {
    fn event(&mut self, event: &Event<'_>) {
        let out = &mut self.outcome;
        match event {
            Event::Uttered {
                frame,
                text,
                cost,
                micros,
            } => {
                if self.tell
                    && let Ok(frame) = serde_json::to_string(&FrameText::from(*frame))
                {
                    let text = (*text).to_owned();
                    out.calls.push(Call { frame, text });
                }
                out.prompt_tokens += cost.prompt_tokens;
                out.decoded_tokens += cost.decoded_tokens;
                out.generated_tokens += cost.generated_tokens;
                out.micros += micros;
            }
            Event::SubtaskBegan { .. } => out.began = true,
            Event::SubtaskClosed { .. } => out.stuck = true,
            Event::Repaired { .. } => out.repaired = true,
            Event::Cut { .. } => out.cut = true,
            Event::Acted { .. } => {}
        }
    }

    fn now_micros(&self) -> u64 {
        u64::try_from(self.clock.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use stride_agent::event::Silent;

    use super::*;

    /// Walks on, and finishes every second action.
    struct Walker;

    impl Policy for Walker {
        fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
            Ok(Utterance::free(match frame {
                StepFrame::High { .. } => "go on".to_owned(),
                StepFrame::Progress { observation, .. } => format!("seen {observation}"),
                StepFrame::Low { progress, .. } => format!("walk; {}", !progress.is_empty()),
            }))
        }
    }

    impl ListedPolicy for Walker {
        fn utter_among(
            &mut self,
            _: &StepFrame<'_>,
            actions: &[String],
        ) -> Result<Utterance, PolicyError> {
            Ok(Utterance::free(format!("{}; False", actions[0])))
        }
    }

    fn input(state: Vec<u8>, observation: &str) -> StepInput {
        StepInput {
            agent: 0,
            state,
            observation: observation.into(),
            invalid: false,
            actions: None,
            max_actions: None,
        }
    }

    #[test]
    fn steps_through_records_are_those_of_one_agent() {
        let limits = Limits::default();
        let mut agent = StepAgent::begin("walk", "", limits.clone(), &mut Silent);
        let mut state = encode(agent.state()).unwrap();
        for observation in ["a", "b", "c", "d"] {
            if agent.state().phase == Phase::Acted {
                agent
                    .observe(&mut Walker, observation, false, &mut Silent)
                    .unwrap();
            }
            let action = agent
                .decide(&mut Walker, observation, &mut Silent)
                .unwrap()
                .action;
            let step = make(&mut Walker, &limits, 50, &input(state, observation), false).unwrap();
            assert_eq!(step.action, Some(action));
            assert_eq!(encoding::decode(&step.state).unwrap(), *agent.state());
            state = step.state;
        }
    }

    #[test]
    fn the_limit_ends_the_episode_after_the_last_observation() {
        let limits = Limits::default();
        let agent = StepAgent::begin("walk", "", limits.clone(), &mut Silent);
        let first = make(
            &mut Walker,
            &limits,
            1,
            &input(encode(agent.state()).unwrap(), "a"),
            false,
        );
        let first = first.unwrap();
        assert!(first.action.is_some() && first.began);
        let last = make(&mut Walker, &limits, 1, &input(first.state, "b"), false).unwrap();
        let state = encoding::decode(&last.state).unwrap();
        assert_eq!((last.action, state.phase), (None, Phase::Ended));
        assert_eq!(state.progress, "seen b");
        let over = make(&mut Walker, &limits, 1, &input(last.state, "c"), false);
        assert!(over.is_ok_and(|step| step.action.is_none()));
        // An agent may have a limit of its own below that of all.
        let mut bounded = input(encode(agent.state()).unwrap(), "a");
        for (most, acts) in [(Some(0), false), (Some(9), true), (None, true)] {
            bounded.max_actions = most;
            let step = make(&mut Walker, &limits, 1, &bounded, false).unwrap();
            assert_eq!(step.action.is_some(), acts, "{most:?}");
        }
    }

    #[test]
    fn a_list_binds_the_low_level_and_calls_are_told_when_wanted() {
        let agent = StepAgent::begin("walk", "", Limits::default(), &mut Silent);
        let mut listed = input(encode(agent.state()).unwrap(), "a");
        listed.actions = Some(vec!["swim".into()]);
        let step = make(&mut Walker, &Limits::default(), 50, &listed, true).unwrap();
        assert_eq!(step.action.as_deref(), Some("swim"));
        let said: Vec<_> = step.calls.iter().map(|call| call.text.as_str()).collect();
        assert_eq!(said, ["go on", "swim; False"]);
        let frame: FrameText = serde_json::from_str(&step.calls[1].frame).unwrap();
        assert!(matches!(frame, FrameText::Low { subtask, .. } if subtask == "go on"));
    }

    #[test]
    fn damaged_records_are_refused() {
        let agent = StepAgent::begin("walk", "", Limits::default(), &mut Silent);
        let mut state = encode(agent.state()).unwrap();
        let at = state.len() / 2;
        state[at] ^= 1;
        let refused = make(
            &mut Walker,
            &Limits::default(),
            1,
            &input(state, "a"),
            false,
        );
        assert!(matches!(refused, Err(StepError::Decode(_))));
    }
}
