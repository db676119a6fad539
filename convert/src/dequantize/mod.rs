//! From a GGUF back to a checkpoint directory that Hugging Face's libraries, our trainer and `export` read.
//!
//! | file | made of | module |
//! |---|---|---|
//! | `config.json` | hyperparameters, by the [table](crate::architecture) of the architecture | `config` |
//! | `tokenizer.json`, `tokenizer_config.json` | `tokenizer.*`, byte-level BPE | `tokenizer` |
//! | `model.safetensors`, or several with an index | tensors in Hugging Face's names and order of rows | `weights` |
//! | `stride.json` | `stride.*`, where the GGUF is one of our policies | `policy` |
//!
//! What the directory could not hold is refused by name: a model that computes something else is no model to train on.

mod config;
mod policy;
mod tokenizer;
mod weights;

use std::path::Path;

use serde_json::Value;

use crate::error::Error;
use crate::output::Folder;
use crate::report::Report;
use crate::source::{self, ModelConfig, WeightType};
use crate::stored::StoredModel;
use crate::stream::Progress;

/// How weights are written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Their type.
    pub kind: WeightType,
    /// Bytes of a file of weights at most; more become several with an index.
    pub split: u64,
}

/// Writes `model` as the checkpoint directory `directory`, which must not exist, or be empty.
///
/// # Errors
///
/// When the directory could not stand for the same model (see the module), a tensor cannot be decoded, a weight is not
/// finite or does not fit the type, or writing fails. Then there is no directory that was not there before.
pub fn dequantize(
    model: &StoredModel,
    directory: &Path,
    options: Options,
    observe: impl FnMut(Progress<'_>),
) -> Result<Report, Error> {
    let (config, texts) = texts(model, options.kind)?;
    let folder = Folder::beside(directory)?;
    for (name, text) in texts {
        folder.write(name, text.as_bytes())?;
    }
    let report = weights::write(model, &config, &folder, options, observe)?;
    folder.publish()?;
    Ok(report)
}

/// Files of text by name.
pub type Texts = Vec<(&'static str, String)>;

/// The configuration of `model`, and all files of the directory but the weights, by name.
///
/// # Errors
///
/// As [`dequantize`].
pub fn texts(model: &StoredModel, kind: WeightType) -> Result<(ModelConfig, Texts), Error> {
    let json = text(&config::of(model, kind)?);
    // What we write, we must be able to read; this also fills in what the shapes need.
    let config = ModelConfig::parse(Path::new(source::config::FILE), json.as_bytes())?;
    let words = tokenizer::of(model, &config)?;
    let mut texts = vec![
        (source::config::FILE, json),
        (source::tokenizer::FILE, text(&words.tokenizer)),
        (tokenizer::SETTINGS_FILE, text(&words.settings)),
    ];
    texts.extend(policy::of(model).map(|policy| (source::policy::FILE, text(&policy))));
    Ok((config, texts))
}

fn text(json: &Value) -> String {
    format!("{json:#}\n")
}

/// A whole number that the model must state.
fn number(model: &StoredModel, key: &str) -> Result<u64, Error> {
    let number = model.metadata.unsigned(key);
    number.ok_or_else(|| model.refuse(format!("{key} is absent, or no whole number")))
}
