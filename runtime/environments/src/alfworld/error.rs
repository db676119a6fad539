//! What can go wrong with a game.

use crate::grammar::{GrammarError, RenderError};
use crate::logic::LogicError;
use crate::pddl::PddlError;

/// Why a game cannot be loaded or played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GameError {
    /// The file is larger than a game can be.
    #[error("the game has {bytes} bytes and the limit is {limit}; is this a game.tw-pddl file?")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The file is not a game in JSON.
    #[error("not a game file: JSON with the fields pddl_domain, pddl_problem and grammar is expected")]
    Json(#[from] serde_json::Error),
    /// The domain cannot be read.
    #[error("the game's pddl_domain cannot be read")]
    Domain(#[source] PddlError),
    /// The problem cannot be read.
    #[error("the game's pddl_problem cannot be read")]
    Problem(#[source] PddlError),
    /// Domain and problem do not fit together.
    #[error("the game's domain and problem do not make a task")]
    Logic(#[from] LogicError),
    /// The grammar cannot be read.
    #[error("the game's grammar cannot be read")]
    Grammar(#[from] GrammarError),
    /// A text of the game cannot be written.
    #[error("a text of the game cannot be written")]
    Render(#[from] RenderError),
    /// A command was given before the first reset.
    #[error("no episode is running; call reset first")]
    NotStarted,
}
