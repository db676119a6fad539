//! LoRA: a frozen network with small trained pairs of matrices beside some of its own (Hu et al. 2021).
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | settings |
//! | [`layout`] | the trained weights as one flat vector |
//! | [`group`] | the arithmetic of the pairs that read one input, with their gradient |
//! | [`adapted`] | the frozen network, the trained weights of a step, the two merged |
//! | [`peft`] | adapters in PEFT's form |
//!
//! The trained vector also holds the embedding rows of the markers: a foreign vocabulary does not know them, and a frozen
//! random row would say nothing to the network. PEFT calls that `trainable_token_indices`.

pub mod adapted;
pub mod config;
pub mod group;
pub mod layout;
pub mod peft;
