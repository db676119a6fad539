//! The policy network: a decoder of the Llama family (Llama, Qwen2, Qwen3) in candle, with fused CPU operations for training.
//!
//! | module | holds |
//! |---|---|
//! | [`architecture`] | what the members of the family do otherwise |
//! | [`shape`] | sizes, and the Hugging Face `config.json` |
//! | [`parameters`] | all weights in one flat vector, with Hugging Face tensor names for its parts |
//! | [`packed`] | samples of different lengths in one batch without padding |
//! | [`block`] | one decoder block as a candle operation with its gradient |
//! | `projection` | what a block does to queries, keys and values before the attention sees them |
//! | [`head`] | last norm, output matrix and negative log-likelihood as a candle operation with its gradient |
//! | [`sum`] | the gradient of a batch, summed over its pieces in their order |
//! | [`network`] | the whole network: loss and gradient, or likelihoods only |
//! | [`decoder`] | token-by-token inference with a KV cache |
//!
//! candle's own fused `softmax_last_dim`, `rms_norm`, `rope` and `sdpa` have no backward pass and stop gradients in
//! silence; none of them is used here. The gradients are checked against finite differences and against a composition of
//! candle's differentiable operations in f64.

#[cfg(test)]
mod adapter_gradients;
pub mod architecture;
pub mod block;
pub mod decoder;
pub mod head;
pub mod network;
#[cfg(test)]
mod op_gradients;
pub mod packed;
pub mod parameters;
mod projection;
#[cfg(test)]
mod reference;
pub mod shape;
pub mod sum;
