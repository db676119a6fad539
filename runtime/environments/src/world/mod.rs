//! All worlds behind one trait, and how they are named.
//!
//! A [`WorldSpec`] is what a user writes; [`open`] makes [`Games`] of it.

mod alfworld;
mod household;
mod scienceworld;
mod spec;

use crate::alfworld::CollectionError;
use crate::scienceworld::SimulatorError;
use serde::Serialize;
use stride_agent::environment::{Environment, EnvironmentError};

pub use alfworld::{AlfworldGames, open_collection};
pub use household::HouseholdGames;
pub use scienceworld::ScienceWorldGames;
pub use spec::{Episodes, Extent, MOST_SEEDS, Part, SpecError, WorldSpec};

/// What a game is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GameLabel {
    /// Its id, the same on every machine.
    pub id: String,
    /// Its task type.
    pub task_type: String,
}

impl GameLabel {
    /// A label.
    #[must_use]
    pub fn new(id: impl Into<String>, task_type: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            task_type: task_type.into(),
        }
    }
}

/// An opened game: an environment, and what its own protocol counts beside ours.
pub trait Game: Environment {
    /// The score in percent, below 0 counted as 0, when the world's own limit of moves was reached, or now if it was not.
    /// `None` for a world without such a limit.
    fn score_at_move_limit(&self) -> Option<f64> {
        None
    }
}

/// Some games in a stable order, shared by all players. Nothing is written to disk.
pub trait Games: Send + Sync {
    /// How many games there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of the game at an index below [`Games::len`].
    fn label(&self, index: usize) -> GameLabel;

    /// Opens the game at an index below [`Games::len`].
    ///
    /// # Errors
    /// When the game is damaged, or its simulator cannot be started.
    fn open(&self, index: usize) -> Result<Box<dyn Game + '_>, EnvironmentError>;

    /// Whether a game can end with a part of its score. Otherwise the success rate says everything.
    fn graded(&self) -> bool {
        false
    }

    /// An action that changes nothing, sent when an utterance does not parse; `None` for the agent's own.
    fn harmless_action(&self) -> Option<&'static str> {
        None
    }

    /// Whether the command templates of the decoding constraint are this world's commands.
    fn has_templates(&self) -> bool {
        true
    }
}

/// Why a world could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The games cannot be listed.
    #[error(transparent)]
    Collection(#[from] CollectionError),
    /// ScienceWorld's simulator is not here.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// A name fits more than one game.
    #[error(
        "`{name}` is part of several games: {first}, {second} and {more} more; give a longer part of the path"
    )]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// One game that fits.
        first: String,
        /// Another.
        second: String,
        /// How many others.
        more: usize,
    },
}

/// Opens a world.
///
/// # Errors
/// When its games cannot be found or listed.
pub fn open(spec: &WorldSpec) -> Result<Box<dyn Games>, WorldError> {
    match spec {
        WorldSpec::Alfworld { path, part } => {
            Ok(Box::new(AlfworldGames::open(path.as_deref(), part)?))
        }
        WorldSpec::ScienceWorld { extent, episodes } => {
            Ok(Box::new(ScienceWorldGames::open(*extent, episodes)?))
        }
        WorldSpec::Household { seeds } => Ok(Box::new(HouseholdGames::new(seeds.clone()))),
    }
}
