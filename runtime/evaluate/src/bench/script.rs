//! Episodes recorded once, so that every contender sees the same observations.

use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use stride_agent::environment::EnvironmentError;
use stride_agent::text::chain;

use super::child::Worker;
use super::wire::{Instead, Request};
use crate::error::EvalError;
use crate::world::Game;

/// One recorded episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// The game's id.
    pub game: String,
    /// The task.
    pub task: String,
    /// The static part of every observation.
    pub scene: String,
    /// What was seen first.
    pub observation: String,
    /// What was done and what came of it.
    pub steps: Vec<ScriptStep>,
}

/// One recorded step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScriptStep {
    /// What the policy had said.
    pub said: String,
    /// What was done.
    pub action: String,
    /// The flag of what was done.
    pub finished: bool,
    /// What was seen then.
    pub observation: String,
    /// The world did not understand.
    pub invalid: bool,
    /// The world ended the episode.
    pub done: bool,
}

impl ScriptStep {
    /// What every contender does in this step.
    #[must_use]
    pub fn instead(&self) -> Instead {
        Instead {
            action: self.action.clone(),
            finished: Some(self.finished),
        }
    }
}

/// Who acts while an episode is recorded. Whoever does, the policy is asked everything and pays for it.
#[derive(Debug)]
pub enum Actions<'a> {
    /// The policy.
    Policy,
    /// Random admissible commands: the world goes on changing for as long as anybody likes.
    Random(&'a mut ChaCha8Rng),
    /// From place to place, the same round over and over: what is seen repeats for as long as anybody likes, so that late steps
    /// differ from early ones in nothing but their number.
    Patrol(Vec<String>),
}

/// Places of a patrol at most. A divisor of the distance between the early and the late steps of a report, so that both see each
/// place equally often.
const PLACES: usize = 10;

impl Actions<'_> {
    fn choose(&mut self, game: &mut dyn Game, step: usize) -> Result<Option<Instead>, EvalError> {
        let mut commands = || game.admissible().unwrap_or_default();
        let action = match self {
            Self::Policy => return Ok(None),
            Self::Random(random) => {
                // Commands that change nothing would fill the episode with repeats.
                let telling: Vec<String> = commands().into_iter().filter(|c| !idle(c)).collect();
                telling.choose(random).cloned()
            }
            Self::Patrol(round) => {
                if step == 0 {
                    *round = commands();
                    round.retain(|command| command.starts_with("go to "));
                    round.truncate(PLACES);
                }
                // With a single place there would be nowhere to go.
                let place = step.checked_rem(round.len()).filter(|_| round.len() > 1);
                place.map(|place| round[place].clone())
            }
        };
        let action = action.ok_or_else(|| EvalError::Worker {
            problem:
                "the world lists no commands of that kind, so only --actions policy can be used"
                    .into(),
        })?;
        Ok(Some(Instead {
            action,
            finished: None,
        }))
    }
}

/// Plays one episode of at most `steps` steps and records it.
///
/// # Errors
/// When the world or the worker breaks, or other actions than the policy's are wanted of a world that lists none.
pub fn record(
    worker: &mut Worker,
    id: &str,
    game: &mut dyn Game,
    steps: u32,
    mut actions: Actions<'_>,
) -> Result<Script, EvalError> {
    let opening = game.reset().map_err(world)?;
    worker.ask(&Request::Begin {
        task: opening.task.clone(),
        scene: opening.scene.clone(),
    })?;
    let mut script = Script {
        game: id.to_owned(),
        task: opening.task,
        scene: opening.scene,
        observation: opening.observation,
        steps: Vec::new(),
    };
    let mut observation = script.observation.clone();
    for step in 0..steps as usize {
        let instead = actions.choose(game, step)?;
        let decided = worker.ask(&Request::Decide {
            observation,
            instead,
        })?;
        let outcome = game.step(&decided.action).map_err(world)?;
        observation = outcome.observation.clone();
        script.steps.push(ScriptStep {
            said: decided.said,
            action: decided.action,
            finished: decided.finished,
            observation: outcome.observation,
            invalid: outcome.invalid,
            done: outcome.done,
        });
        if outcome.done {
            break;
        }
        worker.ask(&Request::Observe {
            observation: observation.clone(),
            invalid: outcome.invalid,
        })?;
    }
    Ok(script)
}

fn idle(command: &str) -> bool {
    matches!(command, "look" | "inventory" | "help")
}

fn world(error: EnvironmentError) -> EvalError {
    EvalError::Episode {
        message: chain(&error),
    }
}
