//! A game file, read and compiled.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::error::GameError;
use super::naming::{Naming, names};
use crate::grammar::{Document, Grammar, RenderLimits, World};
use crate::logic::{Task, TextFacts};
use crate::pddl::{Domain, Limits, Problem};

/// A game as stored: the JSON of a `game.tw-pddl` file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameFile<'a> {
    /// The PDDL domain.
    #[serde(borrow)]
    pub pddl_domain: Cow<'a, str>,
    /// The grammar of the texts.
    #[serde(borrow)]
    pub grammar: Cow<'a, str>,
    /// The PDDL problem.
    #[serde(borrow)]
    pub pddl_problem: Cow<'a, str>,
    /// Whether an expert has won the game. ALFWorld plays no game without this mark.
    #[serde(default)]
    pub solvable: Option<bool>,
    /// Commands that win; they know where things are.
    #[serde(default)]
    pub walkthrough: Option<Vec<String>>,
    /// How names come from ids. Not in ALFWorld's files, where it is [`Naming::Alfred`].
    #[serde(default, skip_serializing_if = "is_default")]
    pub naming: Naming,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_default(naming: &Naming) -> bool {
    *naming == Naming::default()
}

/// A game, ready to be played by any number of [`Session`](super::Session)s at once.
#[derive(Debug, Clone)]
pub struct Game {
    task: Task,
    grammar: Grammar,
    names: Vec<String>,
    walkthrough: Vec<String>,
    solvable: Option<bool>,
}

impl Game {
    /// Largest game file that is read.
    pub const MAX_BYTES: u64 = 16 << 20;

    /// Reads a `game.tw-pddl` file.
    ///
    /// # Errors
    /// When it is not a game, or a part of it cannot be read.
    pub fn from_json(json: &[u8]) -> Result<Self, GameError> {
        let bytes = u64::try_from(json.len()).unwrap_or(u64::MAX);
        if bytes > Self::MAX_BYTES {
            return Err(GameError::TooLarge {
                bytes,
                limit: Self::MAX_BYTES,
            });
        }
        Self::new(&serde_json::from_slice(json)?)
    }

    /// Compiles a game.
    ///
    /// # Errors
    /// When a part of it cannot be read, or the parts do not fit together.
    pub fn new(file: &GameFile<'_>) -> Result<Self, GameError> {
        let limits = Limits::default();
        let domain = Domain::parse(&file.pddl_domain, &limits).map_err(GameError::Domain)?;
        let problem =
            Problem::parse(&file.pddl_problem, &domain, &limits).map_err(GameError::Problem)?;
        let task = Task::new(&domain, &problem)?;
        let grammar = Grammar::new(&Document::parse(&file.grammar)?, &task)?;
        let names = names(&task, file.naming);
        let walkthrough = file.walkthrough.clone().unwrap_or_default();
        Ok(Self {
            task,
            grammar,
            names,
            walkthrough,
            solvable: file.solvable,
        })
    }

    /// Commands that win, or none when the file has none. They know where things are; a player does not.
    #[must_use]
    pub fn walkthrough(&self) -> &[String] {
        &self.walkthrough
    }

    /// Whether an expert has won the game; `None` when the file does not say.
    #[must_use]
    pub fn solvable(&self) -> Option<bool> {
        self.solvable
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    pub(super) fn grammar(&self) -> &Grammar {
        &self.grammar
    }

    pub(super) fn world<'a>(&'a self, facts: &'a TextFacts) -> World<'a> {
        World {
            task: &self.task,
            facts,
            names: &self.names,
            limits: RenderLimits::default(),
        }
    }
}
