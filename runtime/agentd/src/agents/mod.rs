//! The agents: made, stepped, listed, deleted; one step at a time for each, each step recorded before it is answered.
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | [`ServiceError`]: why a request was not done |
//! | [`slots`] | who is there, and whose turn it is; the rules of a full daemon |
//! | [`recent`] | the steps that were made lately |
//! | [`service`] | [`Agents`]: what the API does with them |
//! | [`stepping`] | a step, from the request to the answer |
//! | [`playing`] | what an episode that the daemon plays needs of its agent |
//! | [`recovery`] | after a start: steps that were asked for and have no answer |
//! | [`guard`] | which actions may be given out in this deployment |
//! | [`actions`] | among which actions a step chooses, and which of them are given out |

pub mod actions;
pub mod error;
pub mod guard;
pub mod playing;
pub mod recent;
pub mod recovery;
pub mod service;
pub mod slots;
pub mod stepping;

pub use actions::Actions;
pub use error::ServiceError;
pub use guard::ActionGuard;
pub use service::{Agents, AgentsOptions, Watchers};
pub use stepping::Answered;
