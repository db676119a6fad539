//! llama.cpp behind safe types. This is the only module with `unsafe`.
//!
//! `llama-cpp-2` serves where it can (backend, model, vocabulary). Three things that we need it does not offer, so they
//! go through `llama-cpp-sys-2`: the switch `use_extra_bufts` (without it a CPU with AMX crashes), a persistent thread
//! pool (without it llama.cpp starts threads for every token) and one output row per batch (less memory).

mod arrays;
mod backend;
mod context;
mod gpu;
mod kernels;
mod log;
mod model;
mod rows;
mod threads;
mod usage;
mod weights;

pub use self::gpu::gpus;
pub use self::kernels::kernels;
pub use self::log::{LogLevel, LogSink, set_log_sink};
pub use self::usage::NativeUse;

pub(crate) use self::backend::Backend;
pub(crate) use self::context::{Context, ContextParams, next_batch};
pub(crate) use self::model::{Model, ModelParams};
pub(crate) use self::rows::Rows;
pub(crate) use self::weights::all_q8_0;

pub(crate) use llama_cpp_2::token::LlamaToken as Token;
