//! The loop that plays one episode (method section 4).

use stride_firmware_config::level::PolicyLevel;

use crate::agent::{AgentError, Limits, StepAgent};
use crate::environment::{Environment, EnvironmentError, Outcome};
use crate::event::{Event, Observer};
use crate::policy::Policy;
use crate::transition::EndKind;

/// What one episode came to.
#[derive(Debug, Clone, PartialEq)]
pub struct EpisodeReport {
    /// How it ended.
    pub end: EndKind,
    /// Final score as a fraction of the full score, clipped below at 0.
    pub score: f32,
    /// Actions sent to the environment.
    pub steps: u32,
    /// Subtasks issued.
    pub subtasks: u32,
    /// Actions the world did not understand or could not do.
    pub invalid: u32,
    /// Utterances that did not parse.
    pub malformed: u32,
    /// Calls by level, in the order of [`PolicyLevel::ALL`].
    pub calls: [u32; 3],
}

/// Why an episode could not be played to its end. It counts as an error, not as a failure of the policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EpisodeError {
    /// The world failed.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The agent or its policy failed.
    #[error(transparent)]
    Agent(#[from] AgentError),
}

/// Plays one episode of at most `max_actions` actions.
///
/// When the world ends the episode no policy is asked any more; when the limit ends it, the progress policy
/// still takes in the last result, so that the state is a proper one to bootstrap from (method section 6.1).
///
/// # Errors
/// [`EpisodeError`] when the world or the policy fails.
pub fn play<E, P>(
    environment: &mut E,
    policy: &mut P,
    limits: &Limits,
    max_actions: u32,
    observer: &mut dyn Observer,
) -> Result<(EpisodeReport, StepAgent), EpisodeError>
where
    E: Environment + ?Sized,
    P: Policy + ?Sized,
{
    environment.keep_within(limits.observation);
    let opening = environment.reset()?;
    let mut observer = Counting {
        inner: observer,
        calls: [0; 3],
    };
    let mut agent = StepAgent::begin(&opening.task, &opening.scene, limits.clone(), &mut observer);
    let mut observation = opening.observation;
    let mut invalid = 0;
    let mut score = 0.0_f32;
    let end = loop {
        if agent.state().steps >= max_actions {
            break EndKind::Truncated;
        }
        let decision = agent.decide(policy, &observation, &mut observer)?;
        let outcome = act(environment, &agent, &decision.action, &mut observer)?;
        invalid += u32::from(outcome.invalid);
        score = outcome.score;
        if outcome.done {
            agent.end();
            break if outcome.won {
                EndKind::Success
            } else {
                EndKind::Failure
            };
        }
        agent.observe(policy, &outcome.observation, outcome.invalid, &mut observer)?;
        observation = outcome.observation;
    };
    let report = EpisodeReport {
        end,
        score: score.max(0.0),
        steps: agent.state().steps,
        subtasks: agent.state().completed.issued(),
        invalid,
        malformed: agent.state().malformed,
        calls: observer.calls,
    };
    Ok((report, agent))
}

fn act<E: Environment + ?Sized>(
    environment: &mut E,
    agent: &StepAgent,
    action: &str,
    observer: &mut dyn Observer,
) -> Result<Outcome, EnvironmentError> {
    let start = observer.now_micros();
    let outcome = environment.step(action)?;
    observer.event(&Event::Acted {
        step: agent.state().steps - 1,
        action,
        finished: agent.state().last_flag,
        outcome: &outcome,
        micros: observer.now_micros().saturating_sub(start),
    });
    Ok(outcome)
}

struct Counting<'a> {
    inner: &'a mut dyn Observer,
    calls: [u32; 3],
}

impl Observer for Counting<'_> {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Uttered { frame, .. } = event {
            let slot = match frame.level() {
                PolicyLevel::High => 0,
                PolicyLevel::Low => 1,
                PolicyLevel::Progress => 2,
            };
            self.calls[slot] += 1;
        }
        self.inner.event(event);
    }

    fn now_micros(&self) -> u64 {
        self.inner.now_micros()
    }
}
