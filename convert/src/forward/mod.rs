//! A plain forward pass of the Llama family: what a checkpoint and a GGUF compute, from their weights as they are
//! stored. It serves checks, not generation: whole sequences, no cache, matrices decoded when their turn has come.
//!
//! It follows transformers on a checkpoint (rotary halves) and llama.cpp on a GGUF (rotary pairs for `llama`), each
//! from its own hyperparameters, so a matrix whose rows were reordered wrongly or a key with another number shows.
//! Activations are `f32` throughout; llama.cpp also rounds activations to 8 bits before it multiplies them by
//! quantized weights, which is not done here.

mod attention;
mod error;
mod network;
mod parameters;
mod pass;
mod product;

pub use error::ForwardError;
pub use network::{Network, Rotation};
pub use parameters::{Parameters, Stored, StoredType};
pub use pass::{Batch, Observe, hidden, logits};
