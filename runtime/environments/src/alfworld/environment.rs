//! ALFWorld games as an agent sees them.

use std::sync::Arc;

use stride_agent::environment::{Environment, EnvironmentError, Opening, Outcome};

use super::error::GameError;
use super::game::Game;
use super::opening::{collapsed, read_opening};
use super::session::{NOTHING_HAPPENS, Session};

/// One game behind the agent's `Environment`. Texts come on one line, the scene is kept apart, and winning is
/// worth a reward of 1. The world sets no limit on the number of steps; the caller does.
#[derive(Debug, Clone)]
pub struct AlfworldEnvironment {
    session: Session,
    running: bool,
    score: f32,
}

impl AlfworldEnvironment {
    /// An environment for one game; games are shared, so many environments may play the same.
    #[must_use]
    pub fn new(game: Arc<Game>) -> Self {
        Self {
            session: Session::new(game),
            running: false,
            score: 0.0,
        }
    }

    /// The game that is played.
    #[must_use]
    pub fn game(&self) -> &Arc<Game> {
        self.session.game()
    }
}

impl Environment for AlfworldEnvironment {
    fn reset(&mut self) -> Result<Opening, EnvironmentError> {
        let text = self.session.reset().map_err(EnvironmentError::new)?;
        let opening = read_opening(&text).map_err(EnvironmentError::new)?;
        self.running = true;
        self.score = 0.0;
        Ok(opening)
    }

    fn step(&mut self, action: &str) -> Result<Outcome, EnvironmentError> {
        if !self.running {
            return Err(EnvironmentError::new(GameError::NotStarted));
        }
        let result = self.session.step(action).map_err(EnvironmentError::new)?;
        let reward = result.score - self.score;
        self.score = result.score;
        self.running = !result.done;
        Ok(Outcome {
            invalid: result.observation.starts_with(NOTHING_HAPPENS),
            observation: collapsed(&result.observation),
            reward,
            score: result.score,
            done: result.done,
            won: result.won,
        })
    }

    fn admissible(&mut self) -> Option<Vec<String>> {
        self.session.admissible().ok()
    }
}
