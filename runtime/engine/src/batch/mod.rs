//! Many agents behind one llama.cpp context.
//!
//! [`BatchPolicy`] answers the calls of many agents and levels together. It is synchronous: [`BatchPolicy::submit`] takes a
//! frame in and returns at once, [`BatchPolicy::advance`] makes one decode call for whoever is due, and
//! [`BatchPolicy::take_answer`] hands out what is finished. A server calls the three from its inference loop;
//! [`SharedPolicy`] is such a loop, whose [`AgentPolicy`] handles are ordinary [`Policy`](stride_agent::policy::Policy)
//! values for agents that run on threads of their own.
//!
//! ```no_run
//! use std::path::Path;
//! use stride_engine::{BatchOptions, BatchPolicy};
//! use stride_firmware_config::frame::StepFrame;
//!
//! let mut policy = BatchPolicy::load(Path::new("policy.gguf"), BatchOptions::default())?;
//! for agent in 0..64 {
//!     policy.submit(agent, 0, &StepFrame::Low {
//!         scene: "drawer 1 to 3, fridge 1",
//!         observation: "You are in the middle of a room.",
//!         subtask: "find an egg",
//!         progress: "",
//!     })?;
//! }
//! while policy.advance() {
//!     while let Some(answer) = policy.take_answer() {
//!         println!("agent {}: {}", answer.agent, answer.outcome?.text);
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Slots
//!
//! A *slot* is a sequence of the context with a KV cache of its own, long enough for a frame and its utterance. A call
//! takes a slot when one is free and keeps it until it is answered; calls that find none wait in the order in which they
//! came. What a slot holds stays until somebody else needs it, so the next call of the same agent decodes only what is new
//! in its frame. When another slot holds a longer front of the frame (agents in one room), that is copied.
//!
//! Between the calls of one step (progress, then perhaps high, then low) the slot is kept for its agent for a moment, since
//! the next call is on its way. That goes before the queue, and is bounded: an agent that keeps asking without ever
//! acting goes to the end of the queue after three calls. So every waiting call is served after finitely many others.
//!
//! # What a decode call holds
//!
//! Either the new tokens of one frame, or one token of every slot that is generating. New frames go first: a call can
//! share its decode calls only once it generates. Their number between two generating calls is bounded by the slots.
//!
//! # The same answers as alone
//!
//! A frame is decoded by the same kernels as in [`LlamaPolicy`](crate::LlamaPolicy), never one token of it at a time and
//! never beside another. A generated token shares matrix products with those of other slots; each slot's attention is
//! its own. With Q8_0 weights every sum is taken in the same order and logits are equal to the last bit (tested). With
//! other weights llama.cpp's kernels for one column and for several differ in the last bits, so a token could differ from
//! [`LlamaPolicy`](crate::LlamaPolicy)'s where two logits are that close.

mod answer;
mod call;
mod options;
mod policy;
mod queue;
mod shared;
mod slot;
mod streaming;
#[cfg(test)]
mod tests;
mod work;

pub use self::answer::{Answer, Counts, Said, Ticket};
pub use self::options::BatchOptions;
pub use self::policy::BatchPolicy;
pub use self::shared::{AgentPolicy, SharedPolicy};
pub use self::streaming::{TextEnd, TextEvent};
