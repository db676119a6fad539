//! LoRA adapters in PEFT's form: merged into their base while it is exported, or as a GGUF that llama.cpp loads beside
//! the base.
//!
//! | file of the folder | holds |
//! |---|---|
//! | `adapter_config.json` | rank, alpha, and options ([`config`]) |
//! | `adapter_model.safetensors` | the pairs A and B ([`adapter`]) |
//!
//! Merging adds `scale * B * A` in `f32`, row by row as the base is read, whatever the base is stored in; so the sum
//! is rounded once, to the type of the output.

pub mod adapter;
pub mod config;
mod file;
mod merge;

pub use adapter::Adapter;
pub use config::LoraConfig;
pub use file::write_adapter;
pub use merge::{Merge, merge_all};
