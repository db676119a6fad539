//! Generated household games.

use std::ops::Range;

use crate::household::{Household, HouseholdEnvironment};
use stride_agent::environment::EnvironmentError;

use super::{Game, GameLabel, Games};

/// The games of a range of seeds. Each is made when it is asked for.
#[derive(Debug, Clone)]
pub struct HouseholdGames {
    seeds: Range<u64>,
}

impl HouseholdGames {
    /// The games of these seeds.
    #[must_use]
    pub fn new(seeds: Range<u64>) -> Self {
        Self { seeds }
    }

    fn seed(&self, index: usize) -> u64 {
        self.seeds.start + index as u64
    }
}

impl Game for HouseholdEnvironment {}

impl Games for HouseholdGames {
    fn len(&self) -> usize {
        usize::try_from(self.seeds.end - self.seeds.start).unwrap_or(usize::MAX)
    }

    fn label(&self, index: usize) -> GameLabel {
        let seed = self.seed(index);
        GameLabel::new(
            format!("household:{seed}"),
            Household::new(seed).task_type().as_str(),
        )
    }

    fn open(&self, index: usize) -> Result<Box<dyn Game + '_>, EnvironmentError> {
        Ok(Box::new(HouseholdEnvironment::new(self.seed(index))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn games_are_those_of_their_seeds() {
        let games = HouseholdGames::new(5..8);
        assert_eq!(games.len(), 3);
        let label = games.label(2);
        assert_eq!(label.id, "household:7");
        assert_eq!(label.task_type, Household::new(7).task_type().as_str());
        let opening = games.open(2).unwrap().reset().unwrap();
        assert_eq!(opening.task, Household::new(7).task());
    }
}
