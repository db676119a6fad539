//! Behaviour cloning of the three levels (method section 7.2).
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | settings |
//! | [`samples`] | samples, their order, the held-out games |
//! | [`gradient`] | the gradient of one batch on several threads |
//! | [`evaluate`] | held-out loss and exact match |
//! | [`state`] | what a run needs to go on exactly where it stopped |
//! | [`metrics`] | what a run reports, as JSON Lines |
//! | [`scalars`] | the same as named numbers |
//! | [`begin`] | what a run begins with, and its export |
//! | [`run`] | the loop |

pub mod begin;
pub mod config;
pub mod evaluate;
pub mod gradient;
pub mod metrics;
pub mod run;
pub mod samples;
pub mod scalars;
pub mod state;
