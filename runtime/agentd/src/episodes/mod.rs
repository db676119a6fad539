//! Whole episodes in environments that the daemon opens itself.
//!
//! ```text
//! POST /v1/episodes -> Episodes -> a task: the loop ---- steps as for any client ----> agents
//!                                    |
//!                                  World: a thread of its own, for a world takes the time that it takes
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | [`EpisodeError`]: why an episode was not played to its end |
//! | [`environments`] | [`Environments`]: which there are, by name |
//! | [`world`] | `World`: a game on a thread of its own |
//! | [`running`] | an episode under way, and who follows it |
//! | [`playing`] | the loop |
//! | [`service`] | [`Episodes`]: what the API does with them |
//!
//! # Whatever happens, no step is made twice
//!
//! Each step is a step of an agent, with a request id that follows from its number, and is recorded before it is done in the world. What came of
//! it there is written down before the next is asked for. An episode that was interrupted is asked for again: its world is opened anew,
//! what was done is done again there (and must come out the same), and the first step that follows is the agent's last, whose answer stands
//! in its record, or a new one.

pub mod environments;
pub mod error;
pub mod playing;
pub mod running;
pub mod service;
pub mod world;

pub use environments::Environments;
pub use error::EpisodeError;
pub use running::{Follower, Told};
pub use service::{Episodes, EpisodesOptions};
