//! Episodes of the household world, played through the daemon.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use stride_agent::agent::Limits;
use stride_agent::environment::Environment;
use stride_agent::episode::EpisodeReport;
use stride_agent::event::{Event, Observer};
use stride_client::Client;
use stride_client::api::{AgentPhase, CreateAgent, Ending, StepAnswer, StepRequest, Tokens};
use stride_engine::{ActionTemplates, EngineOptions, LlamaPolicy};
use stride_environments::household::HouseholdEnvironment;
use stride_firmware_config::profile::DeviceProfile;

use crate::support::shipped_model;

/// An answer without what may differ between two runs of the same episode: time, and how much was cached.
pub fn essence(answer: &StepAnswer) -> StepAnswer {
    StepAnswer {
        tokens: Tokens {
            decoded: 0,
            ..answer.tokens
        },
        micros: 0,
        ..answer.clone()
    }
}

/// An agent for the game of a seed; returns the game and the first request, its id still to be given.
pub fn begin(client: &Client, id: &str, seed: u64) -> (HouseholdEnvironment, StepRequest) {
    let mut world = HouseholdEnvironment::new(seed);
    let opening = world.reset().unwrap();
    client
        .create(&CreateAgent {
            id: Some(id.into()),
            task: opening.task,
            scene: opening.scene,
            ..CreateAgent::default()
        })
        .unwrap();
    let request = StepRequest {
        observation: opening.observation,
        ..StepRequest::default()
    };
    (world, request)
}

/// Does in the world what an answer says, and returns what is asked next, its id still to be given; there is nothing more when the
/// episode is over. It ends after `most` actions.
pub fn next(
    world: &mut HouseholdEnvironment,
    answer: &StepAnswer,
    most: u32,
) -> ControlFlow<(), StepRequest> {
    let Some(action) = &answer.action else {
        return ControlFlow::Break(());
    };
    let outcome = world.step(action).unwrap();
    ControlFlow::Continue(StepRequest {
        observation: outcome.observation,
        invalid: outcome.invalid,
        reward: outcome.reward,
        done: outcome.done || answer.step >= most,
        won: outcome.won,
        ..StepRequest::default()
    })
}

/// Plays the game of a seed with a new agent and returns the essence of every answer. The client may have to repeat itself;
/// the world is stepped once for each answer, so a step lost or made twice shows.
pub fn episode(client: &Client, id: &str, seed: u64, most: u32) -> Vec<StepAnswer> {
    counted_episode(client, id, seed, most, &AtomicU64::new(0))
}

/// As [`episode`], and counts the steps that were acknowledged.
pub fn counted_episode(
    client: &Client,
    id: &str,
    seed: u64,
    most: u32,
    acknowledged: &AtomicU64,
) -> Vec<StepAnswer> {
    let (mut world, mut request) = begin(client, id, seed);
    let mut answers: Vec<StepAnswer> = Vec::new();
    loop {
        let n = u32::try_from(answers.len()).unwrap();
        request.request_id = format!("step-{n}");
        let answer = client.step(id, &request).unwrap();
        assert_eq!(answer.request_id, request.request_id);
        acknowledged.fetch_add(1, Ordering::Relaxed);
        answers.push(essence(&answer));
        if answer.action.is_some() {
            assert_eq!(
                answer.step,
                n + 1,
                "agent {id}: a step was lost or made twice"
            );
        }
        match next(&mut world, &answer, most) {
            ControlFlow::Continue(then) => request = then,
            ControlFlow::Break(()) => break,
        }
    }
    let agent = client.get(id).unwrap();
    assert_eq!(agent.phase, AgentPhase::Ended);
    let actions = answers.iter().filter(|answer| answer.action.is_some());
    assert_eq!(agent.steps as usize, actions.count(), "agent {id}");
    answers
}

/// How an episode ended.
pub fn ending(answers: &[StepAnswer]) -> Option<Ending> {
    answers.last().unwrap().flags.ended
}

#[derive(Default)]
struct Actions(Vec<String>);

impl Observer for Actions {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Acted { action, .. } = event {
            self.0.push((*action).to_owned());
        }
    }
}

/// The loop of `stride-agent` (that of `stride-eval`, too) in this process, on the same policy: what it comes to, and the actions.
pub fn without_daemon<E: Environment + ?Sized>(
    world: &mut E,
    most: u32,
) -> (EpisodeReport, Vec<String>) {
    let options = EngineOptions {
        constraint: Some(ActionTemplates::default()),
        ..EngineOptions::default()
    };
    let options = options.under_profile(&DeviceProfile::standard());
    let mut policy = LlamaPolicy::load(&shipped_model(), options).unwrap();
    let (limits, mut log) = (Limits::default(), Actions::default());
    let played = stride_agent::episode::play(world, &mut policy, &limits, most, &mut log);
    (played.unwrap().0, log.0)
}
