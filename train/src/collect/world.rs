//! Which games may be learnt from: those of training splits, whoever played them.

use std::fmt;
use std::path::Path;

use stride_environments::alfworld::{Collection, Split};
use stride_environments::scienceworld::{self, EpisodeId};

use crate::error::{Result, TrainError};

/// The first seed of the household world that is trained on; those below are played in evaluations.
pub const FIRST_HOUSEHOLD_SEED: u64 = 1_000_000;

/// Games to play, as `stride-eval --world` names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingWorld {
    name: String,
    /// How many games it has.
    pub games: usize,
}

impl TrainingWorld {
    /// Reads the name of a world and counts its games.
    ///
    /// # Errors
    /// When the name is no training split, or its games cannot be opened.
    pub fn open(name: &str) -> Result<Self> {
        let games = match name.split_once(':') {
            Some(("scienceworld", "train")) => {
                scienceworld::episodes(scienceworld::Split::Train).len()
            }
            Some(("alfworld", rest)) => alfworld_games(rest).ok_or_else(|| refused(name))??,
            Some(("household", seeds)) => household_games(seeds).ok_or_else(|| refused(name))?,
            _ => return Err(refused(name)),
        };
        Ok(Self {
            name: name.to_owned(),
            games,
        })
    }

    /// Only the first games.
    #[must_use]
    pub fn first(mut self, games: usize) -> Self {
        self.games = self.games.min(games);
        self
    }
}

impl fmt::Display for TrainingWorld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn refused(name: &str) -> TrainError {
    TrainError::Config {
        field: "world",
        reason: format!(
            "`{name}` is no training split; play scienceworld:train, alfworld:PATH:train or household:FROM..TO with seeds from \
             {FIRST_HOUSEHOLD_SEED}"
        ),
    }
}

fn alfworld_games(rest: &str) -> Option<Result<usize>> {
    let path = rest.strip_suffix(":train")?;
    let opened = if path.is_empty() {
        Collection::from_variable()
    } else {
        Collection::open_split(Path::new(path), Split::Train)
    };
    Some(
        opened
            .map(|collection| collection.split(Split::Train).count())
            .map_err(|error| TrainError::Config {
                field: "world",
                reason: error.to_string(),
            }),
    )
}

fn household_games(seeds: &str) -> Option<usize> {
    let (from, to) = seeds.split_once("..")?;
    let (from, to): (u64, u64) = (from.parse().ok()?, to.parse().ok()?);
    (from >= FIRST_HOUSEHOLD_SEED)
        .then(|| to.checked_sub(from))
        .flatten()
        .and_then(|games| usize::try_from(games).ok())
        .filter(|games| *games > 0)
}

/// Whether a recorded game is one that may be learnt from.
#[must_use]
pub fn is_training_game(game: &str) -> bool {
    if let Some(id) = game.strip_prefix("scienceworld:") {
        return id
            .parse::<EpisodeId>()
            .is_ok_and(|id| id.split() == scienceworld::Split::Train);
    }
    if let Some(seed) = game.strip_prefix("household:") {
        return seed
            .parse::<u64>()
            .is_ok_and(|seed| seed >= FIRST_HOUSEHOLD_SEED);
    }
    // ALFWorld's games are named by their paths; what a device met in its own world is its own.
    !["valid_seen/", "valid_unseen/", "valid_train/"]
        .iter()
        .any(|split| game.starts_with(split))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_training_splits() {
        let world = TrainingWorld::open("scienceworld:train").unwrap();
        assert_eq!(world.games, 1404);
        assert_eq!(world.first(10).games, 10);
        let household = TrainingWorld::open("household:1000000..1000200").unwrap();
        assert_eq!(
            (household.games, household.to_string().as_str()),
            (200, "household:1000000..1000200")
        );
        for name in [
            "scienceworld:dev",
            "scienceworld",
            "household:0..100",
            "household:1000002..1000001",
            "alfworld:games:valid_seen",
        ] {
            let error = TrainingWorld::open(name).unwrap_err().to_string();
            assert!(error.contains("no training split"), "{error}");
        }
    }

    #[test]
    fn games_of_other_splits_are_known() {
        assert!(is_training_game("scienceworld:boil/0"));
        assert!(!is_training_game("scienceworld:boil/29"));
        assert!(is_training_game("household:1000001") && !is_training_game("household:17"));
        assert!(is_training_game("train/pick/trial/game.tw-pddl"));
        assert!(!is_training_game("valid_unseen/pick/trial/game.tw-pddl"));
        assert!(is_training_game("kiosk 4"));
    }
}
