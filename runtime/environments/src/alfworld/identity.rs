//! Splits, game ids and task types.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The three parts of ALFWorld's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Games to train on.
    Train,
    /// Rooms that occur in training, with other tasks.
    ValidSeen,
    /// Rooms that do not occur in training.
    ValidUnseen,
}

impl Split {
    /// All splits.
    pub const ALL: [Self; 3] = [Self::Train, Self::ValidSeen, Self::ValidUnseen];

    /// The name of its folder.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::ValidSeen => "valid_seen",
            Self::ValidUnseen => "valid_unseen",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names none of the expected things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is none of {expected}")]
pub struct UnknownName {
    /// What was given.
    pub found: String,
    /// What is known.
    pub expected: &'static str,
}

impl FromStr for Split {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|split| split.as_str() == text);
        found.ok_or_else(|| UnknownName {
            found: text.to_owned(),
            expected: "train, valid_seen, valid_unseen",
        })
    }
}

/// ALFWorld's six task types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    /// Put a thing somewhere.
    PickAndPlaceSimple,
    /// Look at a thing under a lamp.
    LookAtObjInLight,
    /// Clean a thing, then put it somewhere.
    PickCleanThenPlaceInRecep,
    /// Heat a thing, then put it somewhere.
    PickHeatThenPlaceInRecep,
    /// Cool a thing, then put it somewhere.
    PickCoolThenPlaceInRecep,
    /// Put two things of a kind somewhere.
    PickTwoObjAndPlace,
}

impl TaskType {
    /// All task types, in ALFWorld's order.
    pub const ALL: [Self; 6] = [
        Self::PickAndPlaceSimple,
        Self::LookAtObjInLight,
        Self::PickCleanThenPlaceInRecep,
        Self::PickHeatThenPlaceInRecep,
        Self::PickCoolThenPlaceInRecep,
        Self::PickTwoObjAndPlace,
    ];

    /// ALFWorld's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PickAndPlaceSimple => "pick_and_place_simple",
            Self::LookAtObjInLight => "look_at_obj_in_light",
            Self::PickCleanThenPlaceInRecep => "pick_clean_then_place_in_recep",
            Self::PickHeatThenPlaceInRecep => "pick_heat_then_place_in_recep",
            Self::PickCoolThenPlaceInRecep => "pick_cool_then_place_in_recep",
            Self::PickTwoObjAndPlace => "pick_two_obj_and_place",
        }
    }
}

impl fmt::Display for TaskType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskType {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| UnknownName {
            found: text.to_owned(),
            expected: "pick_and_place_simple, look_at_obj_in_light, pick_clean_then_place_in_recep, \
                       pick_heat_then_place_in_recep, pick_cool_then_place_in_recep, pick_two_obj_and_place",
        })
    }
}

/// The id of a game: its path under `json_2.1.1`, with `/` between the parts.
///
/// ```
/// use stride_environments::alfworld::{GameId, Split, TaskType};
///
/// let id = GameId::new("valid_seen/pick_heat_then_place_in_recep-Mug-None-Cabinet-5/trial_T1/game.tw-pddl");
/// assert_eq!(id.split(), Some(Split::ValidSeen));
/// assert_eq!(id.task_type(), Some(TaskType::PickHeatThenPlaceInRecep));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GameId(String);

impl GameId {
    /// An id as it is.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id of a file: what follows `json_2.1.1`, or begins with a split; else the whole of `parts`.
    #[must_use]
    pub fn from_parts(parts: &[&str]) -> Self {
        let split = parts.iter().rposition(|part| part.parse::<Split>().is_ok());
        let start = split.or_else(|| {
            parts
                .iter()
                .rposition(|part| *part == "json_2.1.1")
                .map(|root| root + 1)
        });
        Self(parts[start.unwrap_or(0)..].join("/"))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The split, when the id begins with one.
    #[must_use]
    pub fn split(&self) -> Option<Split> {
        self.0.split('/').next()?.parse().ok()
    }

    /// The task type: what stands before the first `-` in the name of the folder that holds the trials.
    #[must_use]
    pub fn task_type(&self) -> Option<TaskType> {
        let mut parts = self.0.rsplit('/');
        parts.next()?;
        parts.find_map(|part| part.split('-').next()?.parse().ok())
    }

    /// Whether ALFWorld passes over games of this name: it plays none with movable receptacles or sliced objects.
    #[must_use]
    pub fn is_passed_over(&self) -> bool {
        self.0.contains("movable") || self.0.contains("Sliced")
    }
}

impl fmt::Display for GameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
