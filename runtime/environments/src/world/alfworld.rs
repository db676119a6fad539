//! ALFWorld's games.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::alfworld::{AlfworldEnvironment, Collection, CollectionError, GameId};
use stride_agent::environment::EnvironmentError;

use super::{Game, GameLabel, Games, Part, WorldError};

/// What a game of an unknown task type is called.
const OTHER: &str = "other";

/// Games of a [`Collection`], ordered by id.
pub struct AlfworldGames {
    collection: Collection,
    ids: Vec<GameId>,
}

/// Opens a whole data set: a folder, an archive, or what `$ALFWORLD_DATA` names.
///
/// # Errors
/// When there is nothing to read, or it cannot be read.
pub fn open_collection(path: Option<&Path>, part: &Part) -> Result<Collection, WorldError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => {
            PathBuf::from(std::env::var_os("ALFWORLD_DATA").ok_or(CollectionError::NoVariable)?)
        }
    };
    let collection = match part {
        Part::Split(split) => Collection::open_split(&path, *split),
        Part::Whole | Part::Game(_) => Collection::open(&path),
    };
    Ok(collection?)
}

impl AlfworldGames {
    /// The games of one part of a data set.
    ///
    /// # Errors
    /// As [`open_collection`], and when a game is named that is not there, or that is not the only one of its name.
    pub fn open(path: Option<&Path>, part: &Part) -> Result<Self, WorldError> {
        let collection = open_collection(path, part)?;
        let ids: Vec<GameId> = match part {
            Part::Game(name) => vec![find(&collection, name)?],
            Part::Whole | Part::Split(_) => collection.ids().cloned().collect(),
        };
        Ok(Self { collection, ids })
    }
}

/// The game of exactly this id, or else the only one whose id holds the text.
fn find(collection: &Collection, name: &str) -> Result<GameId, WorldError> {
    if let Some(id) = collection.ids().find(|id| id.as_str() == name) {
        return Ok(id.clone());
    }
    let mut found = collection.ids().filter(|id| id.as_str().contains(name));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only.clone()),
        (Some(first), Some(second)) => Err(WorldError::Ambiguous {
            name: name.to_owned(),
            first: first.to_string(),
            second: second.to_string(),
            more: found.count(),
        }),
        (None, _) => Err(CollectionError::NoSuchGame {
            id: GameId::new(name),
        }
        .into()),
    }
}

impl Game for AlfworldEnvironment {}

impl Games for AlfworldGames {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn label(&self, index: usize) -> GameLabel {
        let id = &self.ids[index];
        let task_type = id.task_type().map_or(OTHER, |kind| kind.as_str());
        GameLabel::new(id.as_str(), task_type)
    }

    fn open(&self, index: usize) -> Result<Box<dyn Game + '_>, EnvironmentError> {
        let game = self
            .collection
            .load(&self.ids[index])
            .map_err(EnvironmentError::new)?;
        Ok(Box::new(AlfworldEnvironment::new(Arc::new(game))))
    }
}
