//! Household games as an agent sees them.

use std::sync::Arc;

use stride_agent::environment::{Environment, EnvironmentError, Opening, Outcome};

use super::generate::{Household, Wish};
use crate::alfworld::{AlfworldEnvironment, GameError};

/// The game of one seed behind the agent's `Environment`. It is made at the first reset.
#[derive(Debug, Clone)]
pub struct HouseholdEnvironment {
    seed: u64,
    wish: Wish,
    playing: Option<AlfworldEnvironment>,
}

impl HouseholdEnvironment {
    /// The game of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_wish(seed, Wish::default())
    }

    /// The game of a seed that the caller wants something of.
    #[must_use]
    pub fn with_wish(seed: u64, wish: Wish) -> Self {
        Self {
            seed,
            wish,
            playing: None,
        }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The generated room, for those who want to see behind the texts.
    #[must_use]
    pub fn household(&self) -> Household {
        Household::with_wish(self.seed, self.wish)
    }
}

impl Environment for HouseholdEnvironment {
    fn reset(&mut self) -> Result<Opening, EnvironmentError> {
        if self.playing.is_none() {
            let game = self.household().to_game().map_err(EnvironmentError::new)?;
            self.playing = Some(AlfworldEnvironment::new(Arc::new(game)));
        }
        self.playing.as_mut().ok_or_else(not_started)?.reset()
    }

    fn step(&mut self, action: &str) -> Result<Outcome, EnvironmentError> {
        self.playing.as_mut().ok_or_else(not_started)?.step(action)
    }

    fn admissible(&mut self) -> Option<Vec<String>> {
        self.playing.as_mut()?.admissible()
    }
}

fn not_started() -> EnvironmentError {
    EnvironmentError::new(GameError::NotStarted)
}
