//! The loop: what the world says goes to the agent, what the agent chooses goes into the world.

use std::time::Instant;

use stride_agent::environment::Outcome;
use stride_agent::text::bounded;
use stride_client::api::{Agent, CreateAgent, Ending, StepAnswer, StepRequest, Tokens};
use stride_client::episodes::{Episode, EpisodeBegun, EpisodeStep};

use super::error::EpisodeError;
use super::running::{Asked, Running};
use super::service::Episodes;
use super::world::{Begun, Done, Listed, World};
use crate::agents::ServiceError;
use crate::engine::StepFailure;
use crate::store::{AgentId, EpisodeHead};

/// Between two attempts when the daemon has too much to do.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(20);

/// What the agent is told next.
struct Now {
    observation: String,
    invalid: bool,
    reward: f32,
    score: f32,
    done: bool,
    won: bool,
    listed: Listed,
}

impl Now {
    fn at_first(begun: Begun) -> Self {
        Self {
            observation: begun.opening.observation,
            invalid: false,
            reward: 0.0,
            score: 0.0,
            done: false,
            won: false,
            listed: begun.listed,
        }
    }

    fn after(outcome: Outcome, listed: Listed) -> Self {
        Self {
            observation: outcome.observation,
            invalid: outcome.invalid,
            reward: outcome.reward,
            score: outcome.score,
            done: outcome.done,
            won: outcome.won,
            listed,
        }
    }

    /// An action that was not given out was not done, so nothing came of it.
    fn after_nothing(self) -> Self {
        Self {
            invalid: false,
            reward: 0.0,
            ..self
        }
    }

    fn request(&self, number: usize) -> StepRequest {
        StepRequest {
            request_id: request_id(number),
            observation: self.observation.clone(),
            invalid: self.invalid,
            reward: self.reward,
            done: self.done,
            won: self.won,
            admissible: self.listed.clone(),
        }
    }
}

impl Episodes {
    /// Plays an episode from where it is to its end.
    pub(super) async fn play(
        &self,
        id: AgentId,
        running: &Running,
    ) -> Result<Episode, EpisodeError> {
        let asked = running.asked();
        let opened = World::open(
            asked.wanted.clone(),
            asked.admissible,
            self.options.observation,
        );
        let (world, begun) = self.unless_closing(opened).await?;
        if asked.admissible && begun.listed.is_none() {
            let name = asked.wanted.environment.name();
            return Err(EpisodeError::Unlisted(name.to_owned()));
        }
        let head = EpisodeHead {
            environment: asked.wanted.name(),
            max_steps: asked.max_steps,
            admissible: asked.admissible,
            game: begun.label.id.clone(),
            task_type: begun.label.task_type.clone(),
            observation: bounded(&begun.opening.observation),
        };
        let player = CreateAgent {
            id: Some(id.to_string()),
            task: begun.opening.task.clone(),
            scene: begun.opening.scene.clone(),
            vocabulary: None,
        };
        let (agent, new) = self.agents.create_player(player, head.clone()).await?;
        running.begin(described(&head, &agent));
        let mut now = Now::at_first(begun);
        let mut steps = Vec::new();
        if !new {
            steps = self.agents.all_played(id).await?;
            for step in &steps {
                now = self.again(id, &world, step, now).await?;
                running.step(step.clone());
            }
        }
        loop {
            let answer = self.step(id, now.request(steps.len())).await?;
            if answer.flags.ended.is_some() {
                let agent = self.agents.get(id)?;
                return Ok(whole(&head, &agent, steps, &answer));
            }
            let mut micros = 0;
            if let Some(action) = &answer.action {
                let done = self.unless_closing(world.act(action)).await?;
                micros = done.micros;
                now = Now::after(done.outcome, done.listed);
            } else {
                now = now.after_nothing();
            }
            let step = step_of(answer, &now, micros);
            let number = u32::try_from(steps.len()).unwrap_or(u32::MAX);
            self.agents.played(id, number, &step).await?;
            running.step(step.clone());
            steps.push(step);
        }
    }

    /// Does in a world that was opened anew what was done before.
    async fn again(
        &self,
        id: AgentId,
        world: &World,
        step: &EpisodeStep,
        now: Now,
    ) -> Result<Now, EpisodeError> {
        let Some(action) = &step.action else {
            return Ok(now.after_nothing());
        };
        let Done {
            outcome, listed, ..
        } = self.unless_closing(world.act(action)).await?;
        let same = (&bounded(&outcome.observation), outcome.done, outcome.won)
            == (&step.observation, step.done, step.won);
        if !same {
            return Err(EpisodeError::Diverged(id));
        }
        Ok(Now::after(outcome, listed))
    }

    /// A step of the agent; when there is too much to do, it waits as a client would.
    async fn step(&self, id: AgentId, request: StepRequest) -> Result<StepAnswer, EpisodeError> {
        let start = Instant::now();
        loop {
            if self.is_closing() {
                return Err(EpisodeError::Closed);
            }
            let busy = match self.agents.play(id, request.clone()).await {
                Ok(answered) => return Ok(answered.answer),
                Err(error @ (ServiceError::Busy | ServiceError::Step(StepFailure::Busy))) => error,
                Err(error) => return Err(error.into()),
            };
            if start.elapsed() >= self.options.patience && !self.is_closing() {
                return Err(busy.into());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// An episode that was played to its end before, if it was.
    pub(super) async fn recorded(
        &self,
        id: AgentId,
        asked: &Asked,
    ) -> Result<Option<Episode>, EpisodeError> {
        let agent = match self.agents.get(id) {
            Err(ServiceError::NotFound(_)) => return Ok(None),
            found => found?,
        };
        let Some(head) = self.agents.episode(id)? else {
            return Err(ServiceError::Exists(id).into());
        };
        if !asked.is_of(&head.environment, head.max_steps, head.admissible) {
            return Err(EpisodeError::Exists(id));
        }
        if agent.ending.is_none() {
            return Ok(None);
        }
        let steps = self.agents.all_played(id).await?;
        let last = self.agents.last_answer(id, &request_id(steps.len()))?;
        Ok(last.map(|last| whole(&head, &agent, steps, &last)))
    }
}

/// What the agent is asked for after so many steps.
fn request_id(steps: usize) -> String {
    format!("episode-{steps}")
}

fn step_of(answer: StepAnswer, now: &Now, world_micros: u64) -> EpisodeStep {
    EpisodeStep {
        step: answer.step,
        subtask: answer.subtask,
        progress: answer.progress,
        action: answer.action,
        observation: bounded(&now.observation),
        invalid: now.invalid,
        reward: now.reward,
        score: now.score,
        done: now.done,
        won: now.won,
        flags: answer.flags,
        tokens: answer.tokens,
        micros: answer.micros,
        world_micros,
    }
}

fn described(head: &EpisodeHead, agent: &Agent) -> EpisodeBegun {
    EpisodeBegun {
        id: agent.id.clone(),
        environment: head.environment.clone(),
        game: head.game.clone(),
        task_type: head.task_type.clone(),
        task: agent.task.clone(),
        scene: agent.scene.clone(),
        observation: head.observation.clone(),
        max_steps: head.max_steps,
    }
}

/// The episode of these steps, which ended with the answer `last`.
fn whole(head: &EpisodeHead, agent: &Agent, steps: Vec<EpisodeStep>, last: &StepAnswer) -> Episode {
    let began = steps.iter().filter(|step| step.flags.began);
    let tokens = steps.iter().map(|step| step.tokens).chain([last.tokens]);
    let tokens = tokens.fold(Tokens::default(), |sum, tokens| Tokens {
        prompt: sum.prompt.saturating_add(tokens.prompt),
        decoded: sum.decoded.saturating_add(tokens.decoded),
        generated: sum.generated.saturating_add(tokens.generated),
    });
    Episode {
        begun: described(head, agent),
        end: last.flags.ended.unwrap_or(Ending::Limit),
        score: steps.last().map_or(0.0, |step| step.score.max(0.0)),
        reward: agent.reward,
        subtasks: began.map(|step| step.subtask.clone()).collect(),
        tokens,
        micros: steps.iter().map(|step| step.micros).sum::<u64>() + last.micros,
        world_micros: steps.iter().map(|step| step.world_micros).sum(),
        steps,
        began_at: agent.created_at,
        ended_at: agent.used_at,
    }
}
