//! Pretrained networks to start from: a Hugging Face folder of a Llama, a Qwen2 or a Qwen3, with the markers added to its vocabulary.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | `config.json`: what this network can hold, and what is refused by name |
//! | [`markers`] | the markers as new special tokens, and the rows they begin with |
//! | [`convert`] | a GGUF, turned into such a folder by `stride-convert` |

pub mod config;
pub mod convert;
#[cfg(test)]
mod families;
pub mod markers;
#[cfg(test)]
mod tests;

use std::path::Path;

use tokenizers::Tokenizer;

use crate::error::{Result, TrainError};
use crate::model::parameters::ParameterLayout;
use crate::model::shape::ModelShape;
use crate::tensors;
use crate::tokens::FrameTokenizer;

/// A pretrained network whose vocabulary knows the markers.
#[derive(Debug)]
pub struct Backbone {
    /// Sizes, tokens included.
    pub layout: ParameterLayout,
    /// Flat weights.
    pub weights: Vec<f32>,
    /// The vocabulary.
    pub tokenizer: FrameTokenizer,
}

impl Backbone {
    /// Reads a folder. Sequences of more than `longest` tokens will not be needed.
    ///
    /// # Errors
    /// When a file is missing or broken, the files do not fit each other, or the network or the vocabulary is of a kind that is
    /// not supported.
    pub fn load(folder: &Path, longest: usize) -> Result<Self> {
        let config = config::read(folder)?;
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(TrainError::io(&path))?;
        let mut tokenizer = Tokenizer::from_bytes(bytes)
            .map_err(|error| TrainError::Tokenizer(format!("{}: {error}", path.display())))?;
        markers::prepare(&mut tokenizer, &path)?;
        let needed = markers::rows(&tokenizer);
        if needed > config.rows {
            return Err(TrainError::checkpoint(
                folder,
                format!(
                    "the tokenizer's tokens need {needed} rows, the network has {}",
                    config.rows
                ),
            ));
        }
        let fresh = markers::add(&mut tokenizer)?;
        let shape = config.shape(longest);
        let own = ParameterLayout::new(&shape, config.rows);
        let rows = config.rows.max(markers::rows(&tokenizer));
        let layout = ParameterLayout::new(&shape, rows);
        let mut weights = tensors::read(folder, &own, &layout)?;
        let tokenizer = FrameTokenizer::new(tokenizer)?;
        markers::begin(&tokenizer, &fresh, &layout, &mut weights)?;
        Ok(Self {
            layout,
            weights,
            tokenizer,
        })
    }
}

/// Sizes of the network in a folder, for sequences of at most `longest` tokens.
///
/// # Errors
/// When `config.json` is missing or broken, or the network is not supported.
pub fn shape(folder: &Path, longest: usize) -> Result<ModelShape> {
    Ok(config::read(folder)?.shape(longest))
}
