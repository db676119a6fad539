//! Offline evaluation of step-level policies.
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | the worlds that are evaluated on, and how they are named (of `stride-environments`) |
//! | [`play`] | `stride-eval play`: one episode as a readable trace |
//! | [`run`] | `stride-eval run`: many episodes, one table |
//! | [`replay`] | `stride-eval replay`: recorded games of the official engine, played again |
//! | [`mod@bench`] | `stride-eval bench`: what a step costs, beside a baseline; `stride-eval soak` |
//! | [`bench_world`] | `stride-eval bench-world`: load and step times of a world |
//! | [`board`] | `stride-eval fit` and `measure`: what a policy takes on a board |
//! | [`policy`] | GGUF policies: the only module that knows the engine |
//! | [`temperature`] | sampling temperatures as a command line writes them |
//! | [`record`], [`output`] | transition files; JSON and HTML reports |
//! | [`episode`] | one measured episode |
//! | [`meter`], [`frames`] | what each step cost; how long frames were, what did not fit |
//! | [`trail`] | the last steps of an episode, and whether it went round in circles |
//! | [`trace`] | the events of an episode as text |
//! | [`statistics`], [`table`], [`memory`], [`style`] | intervals and quantiles, text tables, resident memory, colour |
//! | [`machine`] | which machine this is |
//! | [`stop`] | a wish to stop early |
//! | [`error`] | why an evaluation could not be made |
//!
//! Everything but [`policy`] and [`mod@bench`] works with any [`Policy`](stride_agent::policy::Policy), so it is tested without a model.
#![forbid(unsafe_code)]

pub mod bench;
pub mod bench_world;
pub mod board;
pub mod episode;
pub mod error;
pub mod frames;
mod html;
pub mod machine;
pub mod memory;
pub mod meter;
pub mod output;
pub mod play;
pub mod policy;
pub mod record;
pub mod replay;
pub mod run;
pub mod statistics;
pub mod stop;
pub mod style;
pub mod table;
pub mod temperature;
#[cfg(test)]
mod testing;
pub mod trace;
pub mod trail;

pub use stride_environments::world;
