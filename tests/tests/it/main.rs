//! Whole-program tests, one module per topic. They start the programs of this workspace as a user does, so those must be
//! built: `cargo test --workspace --release` builds and tests everything.
//!
//! | module | what is shown |
//! |---|---|
//! | `pipeline` | a tiny policy is trained, converted and played, and computes the same on both sides |
//! | `qwen` | a pretrained Qwen2 and Qwen3 go the same way, whole and with adapters |
//! | `resume` | training that was killed goes on as if nothing had happened |
//! | `refusals` | broken games, policies, profiles, transitions and transcripts are refused with a reason |
//! | `collection` | a policy's episodes are stored once, survive a kill, and are labelled by the expert |
//! | `conformance` | the native engine repeats the official one to the character |
//! | `scienceworld` | its episodes are scored, its transcripts repeated, and a JVM that fails costs one episode |
//! | `scienceworld_demos` | demonstrations of ScienceWorld win, add up, and survive a kill |
//! | `shipped` | the shipped policy wins the demo |
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod collection;
mod conformance;
mod demonstrations;
mod pipeline;
mod qwen;
mod refusals;
mod resume;
mod scienceworld;
mod scienceworld_demos;
mod shipped;
mod support;
