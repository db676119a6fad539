//! Why a request was not done.

use crate::engine::StepFailure;
use crate::store::record::REMEMBERED;
use crate::store::{AgentId, StoreError};

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// There is no such agent.
    #[error("there is no agent {0}")]
    NotFound(AgentId),
    /// An agent of this id has another task or scene.
    #[error(
        "there is an agent {0} with another task, scene or vocabulary; choose another id or delete it first"
    )]
    Exists(AgentId),
    /// The agent's episode is over.
    #[error("the episode of agent {0} is over; make a new agent")]
    Ended(AgentId),
    /// A request id that was used for an earlier step.
    #[error(
        "request id `{request_id}` was answered before the last step of agent {id}; every step needs another id \
         (the last {REMEMBERED} are remembered)"
    )]
    Superseded {
        /// The agent.
        id: AgentId,
        /// The request id.
        request_id: String,
    },
    /// The daemon plays with the agent itself.
    #[error("agent {0} plays an episode of the daemon's; no step can be asked of it")]
    InEpisode(AgentId),
    /// A field of the request cannot be used.
    #[error("{field}: {problem}")]
    Invalid {
        /// Its name.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The guard lets none of the listed actions out.
    #[error(
        "the guard of this deployment lets none of the listed actions out; list others, or change [guard] in the settings"
    )]
    NothingAllowed,
    /// No agent can make room.
    #[error(
        "all {capacity} agents are in use; delete one, or raise agents.capacity in the profile"
    )]
    Full {
        /// Agents at most.
        capacity: u32,
    },
    /// Too many steps are under way.
    #[error("too many steps are under way; try again")]
    Busy,
    /// The policy did not answer in time.
    #[error("no answer within {seconds} s; repeat the request with the same id")]
    TimedOut {
        /// The time that a step may take, queue and restarts included.
        seconds: u64,
    },
    /// The step was not made.
    #[error(transparent)]
    Step(#[from] StepFailure),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon shuts down.
    #[error("the daemon is shutting down")]
    Closed,
}
