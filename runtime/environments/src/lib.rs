//! Text worlds for the agent: ALFWorld's games and a household world of our own, both played by one engine
//! without Python, TextWorld or Fast Downward; and ScienceWorld's simulator, spoken to without Python.
//!
//! | module | what it does |
//! |---|---|
//! | [`alfworld`] | games, episodes, collections of games, transcripts and their replay, the adapter to the agent |
//! | [`household`] | endless games from seeds, in the same file format |
//! | [`scienceworld`] | the official simulator, a JVM, without its Python |
//! | [`pddl`] | reading PDDL domains and problems |
//! | [`logic`] | facts, what can be done, what an action changes, whether the goal holds |
//! | [`grammar`] | reading and writing the texts of a game |
//! | [`world`] | all of these behind one trait, by names such as `household:7` |
//!
//! Nothing of the engine knows ALFWorld's domain: predicates, actions and texts all come from the game file.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::Arc;
//! use stride_environments::alfworld::{Collection, Session, Split};
//!
//! let games = Collection::open_split(Path::new("games.tar.zst"), Split::ValidSeen)?;
//! for id in games.ids() {
//!     let mut session = Session::new(Arc::new(games.load(id)?));
//!     println!("{}", session.reset()?);
//!     println!("{}", session.step("look")?.observation);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod alfworld;
pub mod grammar;
pub mod household;
pub mod logic;
pub mod pddl;
pub mod scienceworld;
mod transcripts;
pub mod world;
