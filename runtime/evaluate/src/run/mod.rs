//! `stride-eval run`: many episodes, one table.
//!
//! | module | holds |
//! |---|---|
//! | `players` | one thread and one policy each, over a shared list of games |
//! | [`selection`] | which games are played |
//! | [`summary`] | what the episodes add up to |
//! | [`report`] | the table, for people and for programs |

mod players;
pub mod report;
pub mod selection;
pub mod summary;

use std::num::NonZeroUsize;

use stride_agent::policy::Policy;
use stride_agent::transition::Transition;

use crate::episode::{Episode, Rules};
use crate::error::EvalError;
use crate::stop::Stop;
use crate::world::Games;

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

/// Plays the games of a plan and returns the episodes in its order: all of them, or the first ones and whatever else was
/// finished when `stop` was uttered.
///
/// # Errors
/// When a policy cannot be made or the sink cannot store what it gets. A game or a call that breaks is no error here but
/// an episode that ended in one.
pub fn run<P, F>(
    plan: &Plan,
    games: &dyn Games,
    make_policy: F,
    stop: &Stop,
    sink: &mut dyn Sink,
) -> Result<Vec<Episode>, EvalError>
where
    P: Policy,
    F: Fn() -> Result<P, EvalError> + Sync,
{
    players::play_all(plan, games, &make_policy, stop, sink)
}
