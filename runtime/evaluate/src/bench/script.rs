//! Episodes recorded once, so that every contender sees the same observations.

use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use stride_agent::environment::EnvironmentError;

use super::child::Worker;
use super::wire::{Instead, Request};
use crate::error::{EvalError, chain};
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

/// Plays one episode of at most `steps` steps and records it. With `random`, the policy is asked everything and its actions
/// are replaced by random admissible commands; so the world goes on changing for as long as anybody likes.
///
/// # Errors
/// When the world or the worker breaks, or a random action is wanted of a world that lists none.
pub fn record(
    worker: &mut Worker,
    id: &str,
    game: &mut dyn Game,
    steps: u32,
    mut random: Option<&mut ChaCha8Rng>,
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
    for _ in 0..steps {
        let instead = match &mut random {
            None => None,
            Some(random) => Some(random_action(game, random)?),
        };
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

fn random_action(game: &mut dyn Game, random: &mut ChaCha8Rng) -> Result<Instead, EvalError> {
    let commands = game.admissible().unwrap_or_default();
    // Commands that change nothing would fill the episode with repeats.
    let telling: Vec<&String> = commands.iter().filter(|c| !idle(c)).collect();
    let action = telling.choose(random).ok_or_else(|| EvalError::Worker {
        problem: "the world lists no admissible commands, so --actions random cannot be used"
            .into(),
    })?;
    Ok(Instead {
        action: (*action).clone(),
        finished: None,
    })
}

fn idle(command: &str) -> bool {
    matches!(command, "look" | "inventory" | "help")
}

fn world(error: EnvironmentError) -> EvalError {
    EvalError::Episode {
        message: chain(&error),
    }
}
