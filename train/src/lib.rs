//! Training of Stride's policies.
//!
//! | module | holds |
//! |---|---|
//! | [`expert`] | the expert of the household worlds: a function of the frame, at every level |
//! | [`scienceworld`] | the expert of ScienceWorld |
//! | [`demos`], [`demonstrate`] | demonstrations: episodes as transitions, one by one and the whole job |
//! | [`collect`], [`relabel`] | what a policy does in training games, and what the expert would have said there |
//! | [`mod@reform`] | transitions for the ablations and the history-conditioned baseline |
//! | [`recall`] | exercises in looking names up |
//! | [`success`] | games won by a policy in training, on held-out training games |
//! | [`data`] | transition files, the held-out split |
//! | [`augment`] | renumbering of a sample's objects |
//! | [`tokenizer`] | training of the vocabulary |
//! | [`tokens`] | frames and utterances as tokens, the one place where the prompt layout meets the vocabulary |
//! | [`model`] | the network, its gradient and its inference, in candle |
//! | [`kernels`] | the arithmetic below it |
//! | [`optimizer`] | AdamW and the learning-rate schedule |
//! | [`bc`] | behaviour cloning |
//! | [`mod@average`] | one checkpoint of several |
//! | [`backbone`] | pretrained networks to start from |
//! | [`lora`] | adapters beside frozen weights |
//! | [`mod@bench`] | how fast that is, alone and beside PyTorch |
//! | [`report`] | a run as one page |
//! | [`tensorboard`] | a run as an event file |
//! | [`inspect`] | transitions as a person reads them |
//! | [`rl`] | step-level offline reinforcement learning |
//! | [`tensors`] | weights in safetensors files |
//! | [`settings`] | what the settings of every stage have in common |
//! | [`checkpoint`] | checkpoint folders in Hugging Face form |
//! | [`policy`] | a checkpoint behind the agent's `Policy` trait |
#![deny(unsafe_op_in_unsafe_fn)]

pub mod augment;
pub mod average;
pub mod backbone;
pub mod bc;
pub mod bench;
pub mod checkpoint;
pub mod collect;
pub mod data;
pub mod demonstrate;
pub mod demos;
pub mod error;
pub mod expert;
pub mod files;
pub mod inspect;
pub mod kernels;
pub mod lora;
pub mod model;
pub mod optimizer;
pub mod parallel;
pub mod policy;
pub mod recall;
pub mod reform;
pub mod relabel;
pub mod report;
pub mod rl;
pub mod scienceworld;
pub mod settings;
pub mod success;
pub mod tensorboard;
pub mod tensors;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokenizer;
pub mod tokens;
