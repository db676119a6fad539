//! Properties and refusals of the device contract, one module per topic.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod arbitrary;
mod boards;
mod encoding;
mod frame;
mod no_std;
mod profile;
mod refusals;
mod state;
mod text;
