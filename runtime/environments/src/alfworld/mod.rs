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
//! | `replay` | plays transcripts and compares |

mod error;
mod game;
mod naming;
mod session;

pub use error::GameError;
pub use game::{Game, GameFile};
pub use naming::Naming;
pub use session::{Session, StepResult};
