//! `stride-eval run`: many episodes, one table.
//!
//! | module | holds |
//! |---|---|
//! | `players` | one thread and one policy each, over a shared list of games |
//! | [`selection`] | which games are played |
//! | [`summary`] | what the episodes add up to |
//! | [`score`] | mean scores of a world that gives parts of its score |
//! | [`report`] | the table, for people and for programs |
//! | [`html`] | the same as a page |

pub mod html;
mod players;
pub mod report;
pub mod score;
pub mod selection;
pub mod summary;

use std::num::NonZeroUsize;

use stride_agent::transition::Transition;

use crate::episode::{Episode, Rules};
use crate::error::EvalError;

pub use players::run;

/// What is played, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Indices of the games, in the order of the table.
    pub games: Vec<usize>,
    /// How episodes are played.
    pub rules: Rules,
    /// Episodes played at the same time, each by a policy of its own.
    pub jobs: NonZeroUsize,
}

/// Takes in what a run produces while it runs.
pub trait Sink {
    /// An episode ended. Called in the order of the plan, also when several are played at once.
    ///
    /// # Errors
    /// What cannot be stored stops the run.
    fn episode(&mut self, episode: &Episode, transitions: &[Transition]) -> Result<(), EvalError>;
}
