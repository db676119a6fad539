//! Why an episode was not played to its end.

use crate::agents::ServiceError;
use crate::store::AgentId;

/// Why an episode was not played to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EpisodeError {
    /// There is no such environment.
    #[error("there is no environment `{0}`; GET /v1/environments lists them")]
    NoEnvironment(String),
    /// The environment has no such game.
    #[error("{environment} has {games} games, numbered from 0; say which, as in {environment}:0")]
    NoGame {
        /// Its name.
        environment: String,
        /// Its games.
        games: usize,
    },
    /// The environment cannot be opened, or it broke.
    #[error("the environment {0} failed; the daemon's log says why")]
    World(String),
    /// It does not say again what it said before.
    #[error(
        "episode {0} was interrupted, and its environment does not do again what it did; delete agent {0} and begin anew"
    )]
    Diverged(AgentId),
    /// The environment does not list actions.
    #[error("admissible: the environment {0} does not list its actions")]
    Unlisted(String),
    /// There is an episode of this id with something else.
    #[error(
        "there is an episode {0} with another environment, max_steps or admissible; choose another id or delete agent {0}"
    )]
    Exists(AgentId),
    /// A field of the request cannot be used.
    #[error("{field}: {problem}")]
    Invalid {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Enough are played.
    #[error("{0} episodes are played at once (limits.episodes in the settings); try again")]
    Busy(u32),
    /// The daemon shuts down.
    #[error("the daemon is shutting down; repeat the request with the same id")]
    Closed,
    /// The agent could not be made, or a step not be made.
    #[error(transparent)]
    Agent(#[from] ServiceError),
}
