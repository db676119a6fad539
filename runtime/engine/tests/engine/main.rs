//! The engine on a real GGUF file: a random policy that `stride-convert` wrote.

#[path = "../common/mod.rs"]
mod common;

mod constraint;
mod loading;
mod prefix;
mod sampling;
mod tokens;
