//! The daemon's side of its worker: start it, ask it, notice that it died or hangs, start it again.
//!
//! | module | holds |
//! |---|---|
//! | [`model`] | [`Model`]: a GGUF file under its name, with its hash |
//! | [`opened`] | the file itself, held open |
//! | [`handle`] | [`Engine`]: what the rest of the daemon holds |
//! | [`golden`] | what a model must say before it may serve |
//! | [`signature`] | who made a model |
//! | `child` | one worker process and its socket |
//! | `supervisor` | the thread that owns the workers |
//! | [`status`] | what is known about the worker: for readiness and metrics |

mod child;
pub mod golden;
pub mod handle;
pub mod maker;
pub mod model;
pub mod opened;
pub mod signature;
pub mod status;
mod supervisor;

pub use child::{Trial, record, trial};
pub use golden::Golden;
pub use handle::{Engine, EngineOptions, Made, StepFailure, TextOutcome};
pub use maker::Maker;
pub use model::{Model, ModelError};
pub use status::Status;
