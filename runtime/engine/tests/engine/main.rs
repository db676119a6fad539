//! The engine on a real GGUF file: a random policy that `stride-convert` wrote.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod batch;
mod constraint;
mod drafts;
mod grammar;
mod listed;
mod loading;
mod memory;
mod prefix;
mod sampling;
mod tokens;
