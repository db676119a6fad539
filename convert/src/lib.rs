//! From a trained checkpoint to one GGUF file that llama.cpp runs: tokenizer, weights and model card inside.
//!
//! | module | holds |
//! |---|---|
//! | [`source`] | reading and checking the checkpoint directory |
//! | [`architecture`] | which tensor becomes which, as a table |
//! | [`plan`] | the list of tensors that will be written, checked before the output exists |
//! | [`metadata`] | llama.cpp's keys and ours (`stride.*`) |
//! | [`quantize`] | which tensor gets which type, and ggml's reference quantizers bit for bit |
//! | [`importance`] | importance matrices, as llama.cpp's `llama-imatrix` makes them: read and made |
//! | [`gguf`] | the container: a streaming writer and a reader that trusts nothing |
//! | [`export`] | the conversion of a checkpoint |
//! | [`stored`] | a model in GGUF files as a source |
//! | [`requantize`], [`dequantize`] | from GGUF to other types, and back to a checkpoint directory |
//! | [`diff`] | what tells two GGUF models apart |
//! | [`stream`] | rows in, files out: decoded once, encoded in parallel, cut into shards |
//! | [`output`] | files written beside their places, read back, renamed together |
//! | [`report`] | what was written, and how far storing moved the weights |
//! | [`inspect`] | what stands in a GGUF file, for people and as JSON |
//! | [`forward`] | what a checkpoint or a GGUF computes: a plain forward pass over weights of any type |
//! | [`verify`] | how far a GGUF is from its source: weights and predictions |
//! | [`gate`] | publishing a policy only when its decisions did not drift |
//! | [`lora`] | adapters: merged into their base, or as a GGUF of their own |
//! | [`transitions`], [`encoder`] | what a policy is checked on, and its tokens |
//! | [`fixtures`] | small checkpoints of random weights, for tests and first tries |
//!
//! It links no C or C++ and knows nothing of inference or training.
//!
//! ```
//! use stride_convert::{export, fixtures::RandomModel, quantize::Recipe, source::Checkpoint};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let directory = tempfile::tempdir()?;
//! RandomModel::default().write(directory.path())?;
//! let checkpoint = Checkpoint::open(directory.path())?;
//! let options = export::Options { recipe: Recipe::Q8_0, replace: false };
//! let report = export::export(&checkpoint, &directory.path().join("policy.gguf"), options, |_| {})?;
//! println!("{} bytes", report.file_bytes);
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

pub mod architecture;
pub mod dequantize;
pub mod diff;
pub mod encoder;
mod error;
pub mod export;
pub mod fixtures;
pub mod forward;
pub mod gate;
pub mod gguf;
pub mod importance;
pub mod inspect;
pub mod lora;
#[allow(unsafe_code, reason = "mapping a file has no safe form")]
pub mod map;
pub mod metadata;
pub mod output;
pub mod plan;
pub mod quantize;
pub mod report;
pub mod requantize;
pub mod source;
pub mod stored;
pub mod stream;
pub mod transitions;
pub mod verify;

pub use error::Error;
pub(crate) use error::RowPlace;
