//! What can go wrong with a game.

use std::io;
use std::path::PathBuf;

use super::identity::GameId;
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
    #[error(
        "not a game file: JSON with the fields pddl_domain, pddl_problem and grammar is expected"
    )]
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
    /// What can be done, or whether the goal holds, takes too long to find out.
    #[error("the game cannot be judged in this state")]
    Judge(#[source] LogicError),
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

/// Why games cannot be listed or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectionError {
    /// `$ALFWORLD_DATA` is not set.
    #[error(
        "the variable ALFWORLD_DATA is not set; set it to the folder that alfworld-download filled, or name a path"
    )]
    NoVariable,
    /// Something cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No games were found.
    #[error(
        "{}: holds no games; a folder with .../game.tw-pddl files (alfworld-download makes one), one such file, \
         or a .tar.zst of them is expected",
        path.display()
    )]
    NoGames {
        /// The place.
        path: PathBuf,
    },
    /// A game that is not in the collection.
    #[error(
        "there is no game `{id}` here; ids are paths under json_2.1.1, such as valid_seen/.../game.tw-pddl"
    )]
    NoSuchGame {
        /// The id asked for.
        id: GameId,
    },
    /// A game cannot be loaded.
    #[error("the game {id} cannot be loaded")]
    Game {
        /// The game.
        id: GameId,
        /// Why.
        #[source]
        source: Box<GameError>,
    },
    /// An archive holds more than is read.
    #[error("{}: the archive is refused, {what} exceeds the limit; unpack it yourself if you trust it", path.display())]
    ArchiveTooLarge {
        /// The archive.
        path: PathBuf,
        /// What is too large or too many.
        what: &'static str,
    },
    /// An entry of an archive whose path leaves it.
    #[error("{}: the archive is refused, the entry `{entry}` has a path that leaves it", path.display())]
    ArchiveEscapes {
        /// The archive.
        path: PathBuf,
        /// The entry.
        entry: String,
    },
}
