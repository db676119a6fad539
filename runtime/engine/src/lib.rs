//! llama.cpp behind the [`Policy`](stride_agent::policy::Policy) trait.
//!
//! | module | holds |
//! |---|---|
//! | [`batch`] | [`BatchPolicy`]: the calls of many agents in common decode calls; [`SharedPolicy`]: the same behind handles |
//! | [`policy`] | [`LlamaPolicy`]: loads one GGUF policy and answers frames |
//! | [`memory`] | [`estimate`]: what an engine will take, known before it is loaded |
//! | [`repeatable`](mod@repeatable) | whether a frame gets the same answer again |
//! | [`history`] | [`History`]: a prompt that grows with the episode, the baseline of benchmarks |
//! | `inspect` | token ids and logits of a frame, for comparisons |
//! | [`options`] | [`EngineOptions`]: sizes, threads, caps, sampling, constraint |
//! | [`digest`](mod@digest) | size and hash of a policy file, for reports and registries |
//! | [`constraint`] | decoding along verb templates filled with the names that stand in the frame |
//! | `grammar` | [`Grammar`]: GBNF or a JSON schema that a text must match |
//! | [`error`] | [`EngineError`]: what can go wrong, with numbers |
//! | `writing` | from a frame to an utterance, token by token: everything but the logits |
//! | `lookup`, `drafted` | speculation: drafts looked up in earlier texts, decoded together, kept where they are right |
//! | `vocabulary` | layout 1 as tokens: markers, text, and back |
//! | `sequence` | the KV cache: only what is new in a frame is decoded |
//! | `sampling` | greedy and seeded choice |
//! | `native` | llama.cpp itself; the only module with `unsafe` |
//!
//! The crate reads GGUF files and nothing else: no environment, no network, no state on disk. Its native log lines are
//! silent until [`set_log_sink`] is called.
#![deny(unsafe_code)]

pub mod batch;
pub mod constraint;
pub mod digest;
mod drafted;
pub mod error;
mod grammar;
pub mod history;
mod inspect;
mod lookup;
pub mod memory;
#[allow(unsafe_code, reason = "the one boundary to C++")]
mod native;
pub mod options;
pub mod policy;
pub mod repeatable;
mod sampling;
mod sequence;
mod vocabulary;
mod writing;

pub use batch::{
    AgentPolicy, Answer, BatchOptions, BatchPolicy, Counts, Said, SharedPolicy, TextEnd, TextEvent,
    Ticket,
};
pub use constraint::ActionTemplates;
pub use digest::{digest, digest_each};
pub use error::EngineError;
pub use grammar::Grammar;
pub use history::History;
pub use memory::{MemoryEstimate, estimate, estimate_batch};
pub use native::{LogLevel, LogSink, NativeUse, gpus, kernels, set_log_sink};
pub use options::{EngineOptions, KvType, PerLevel, Sampling, TextRequest};
pub use policy::LlamaPolicy;
pub use repeatable::repeatable;
pub use writing::check_actions;
