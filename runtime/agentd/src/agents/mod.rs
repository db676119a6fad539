//! The agents: made, stepped, listed, deleted; one step at a time for each, each step recorded before it is answered.
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | [`ServiceError`]: why a request was not done |
//! | [`slots`] | who is there, and whose turn it is; the rules of a full daemon |
//! | [`recent`] | the steps that were made lately |
//! | [`service`] | [`Agents`]: what the API does |
//! | [`guard`] | which actions may be given out in this deployment |
//! | [`actions`] | among which actions a step chooses, and which of them are given out |

pub mod actions;
pub mod error;
pub mod guard;
pub mod recent;
pub mod service;
pub mod slots;

pub use actions::Actions;
pub use error::ServiceError;
pub use guard::ActionGuard;
pub use service::{Agents, AgentsOptions, Watchers};
