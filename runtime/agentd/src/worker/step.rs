//! One step of one agent, from record to record.

use std::time::Instant;

use stride_agent::agent::{AgentError, Limits, StepAgent};
use stride_agent::event::{Event, Observer};
use stride_agent::policy::Policy;
use stride_firmware_config::encoding::{self, DecodeError, EncodeError, MAX_ENCODED};
use stride_firmware_config::state::{AgentState, Phase};

use super::protocol::{StepInput, StepOutcome};

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

/// Takes the observation in and chooses the next action. An agent that has used up `max_actions` takes the observation in,
/// and its episode is over.
///
/// # Errors
/// [`StepError`].
pub fn make<P: Policy + ?Sized>(
    policy: &mut P,
    limits: &Limits,
    max_actions: u32,
    input: &StepInput,
) -> Result<StepOutcome, StepError> {
    let mut watch = Watch::default();
    let mut agent = StepAgent::resume(encoding::decode(&input.state)?, limits.clone());
    if agent.state().phase == Phase::Acted {
        agent.observe(policy, &input.observation, input.invalid, &mut watch)?;
    }
    let action = if agent.state().steps >= max_actions {
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
            Event::Uttered { cost, micros, .. } => {
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
    use stride_agent::policy::{PolicyError, Utterance};
    use stride_firmware_config::frame::StepFrame;

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

    fn input(state: Vec<u8>, observation: &str) -> StepInput {
        StepInput {
            state,
            observation: observation.into(),
            invalid: false,
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
            let step = make(&mut Walker, &limits, 50, &input(state, observation)).unwrap();
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
        );
        let first = first.unwrap();
        assert!(first.action.is_some() && first.began);
        let last = make(&mut Walker, &limits, 1, &input(first.state, "b")).unwrap();
        let state = encoding::decode(&last.state).unwrap();
        assert_eq!((last.action, state.phase), (None, Phase::Ended));
        assert_eq!(state.progress, "seen b");
        let over = make(&mut Walker, &limits, 1, &input(last.state, "c"));
        assert!(over.is_ok_and(|step| step.action.is_none()));
    }

    #[test]
    fn damaged_records_are_refused() {
        let agent = StepAgent::begin("walk", "", Limits::default(), &mut Silent);
        let mut state = encode(agent.state()).unwrap();
        let at = state.len() / 2;
        state[at] ^= 1;
        let refused = make(&mut Walker, &Limits::default(), 1, &input(state, "a"));
        assert!(matches!(refused, Err(StepError::Decode(_))));
    }
}
