//! ALFWorld's text games, played natively: the same texts, commands and scores as TextWorld 1.7 with
//! ALFWorld 0.4.2 (not shuffled), character by character.
//!
//! | module | what it does |
//! |---|---|
//! | `game` | a game file, read and compiled, shared by all episodes |
//! | `session` | one episode |
//! | `naming` | `cabinet_bar__minus_01...` becomes `cabinet 3` |
//! | `collection` | the games of a folder, a file or an archive |
//! | `archive` | reading a `.tar.zst` that may be hostile |
//! | `identity` | splits, game ids and task types |
//! | `transcript` | recorded games of the official engine |
//! | `opening` | taking a first text apart |
//! | `environment` | the adapter to the agent's `Environment` |
//! | `replay` | plays transcripts and compares |

mod archive;
mod collection;
mod environment;
mod error;
mod game;
mod identity;
mod naming;
mod opening;
mod replay;
mod session;
mod transcript;

pub use crate::transcripts::TranscriptError;
pub use collection::{Collection, GAME_FILE};
pub use environment::AlfworldEnvironment;
pub use error::{CollectionError, GameError};
pub use game::{Game, GameFile};
pub use identity::{GameId, Split, TaskType, UnknownName};
pub use naming::Naming;
pub use opening::{OpeningError, collapsed, read_opening};
pub use replay::{Field, Mismatch, Replay, ReplayError, Replayed};
pub use session::{NOTHING_HAPPENS, Session, StepResult};
pub use transcript::{Transcript, TranscriptStep, Transcripts};
