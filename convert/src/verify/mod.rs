//! Does a GGUF still compute what its source computes? Every tensor is compared, and the predictions of a forward pass
//! over a text or over transitions.
//!
//! | module | holds |
//! |---|---|
//! | [`tensors`] | distance of the weights |
//! | [`divergence`] | distance of the predictions |
//! | [`samples`] | what both sides are shown |
//! | [`limits`] | when a file is good enough |
//!
//! Memory: the activations of a few thousand tokens, two blocks of logits of 64 MiB, and 16 MiB of decoded weights,
//! whatever the model's size.

pub mod divergence;
mod error;
pub mod limits;
mod report;
pub mod samples;
pub mod tensors;

pub use divergence::{Divergence, Position, Sample};
pub use error::VerifyError;
pub use limits::Limits;
pub use report::Report;
pub use samples::Samples;
pub use tensors::TensorError;

use std::path::Path;

use crate::forward::Parameters;
use crate::gguf::Metadata;
use crate::metadata;
use crate::quantize::{Recipe, TypeChoice};
use crate::source::Checkpoint;
use crate::stored::StoredModel;

/// How far a comparison is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being done.
    pub work: &'a str,
    /// How much of it is done.
    pub done: u64,
    /// How much there is.
    pub total: u64,
}

/// Compares `file` with `source`: every tensor, and the predictions over `samples` where there are any.
///
/// # Errors
///
/// When the two do not hold the same tensors, the network is not computed here, or a weight is no number.
pub fn verify(
    source: &Parameters<'_>,
    file: &Parameters<'_>,
    samples: &Samples,
    mut observe: impl FnMut(Progress<'_>),
) -> Result<Report, VerifyError> {
    let total = source
        .tensors()
        .iter()
        .map(|tensor| (tensor.rows * tensor.columns) as u64)
        .sum();
    let tensors = tensors::errors(source, file, |name, done| {
        observe(Progress {
            work: name,
            done,
            total,
        });
    })?;
    let sides = [source, file];
    let total = divergence::steps(sides, &samples.samples);
    let mut done = 0;
    let positions = divergence::compare(sides, &samples.samples, &mut || {
        done += 1;
        observe(Progress {
            work: "predictions",
            done,
            total,
        });
    })?;
    Ok(Report::new(tensors, &positions, samples))
}

/// Opens the GGUF at `path` (the first file of several) and hands its weights and metadata to `look`.
///
/// # Errors
///
/// When it cannot be opened, is refused by the reader, or is no network that is computed here.
pub fn with_gguf<T>(
    path: &Path,
    look: impl FnOnce(&Parameters<'_>, &Metadata) -> T,
) -> Result<T, crate::Error> {
    let model = StoredModel::open(path)?;
    let side = path.display().to_string();
    let parameters = Parameters::of_gguf(side, &model)?;
    Ok(look(&parameters, &model.metadata))
}

/// The lists that make tokens of texts.
const VOCABULARY_KEYS: [&str; 2] = ["tokenizer.ggml.tokens", "tokenizer.ggml.merges"];

/// The file, which errors call `side`, holds the tokens and merges of the checkpoint.
///
/// # Errors
///
/// Names the first list that differs, and where.
pub fn same_vocabulary(
    checkpoint: &Checkpoint,
    file: &Metadata,
    side: &str,
) -> Result<(), VerifyError> {
    let expected = metadata::of(checkpoint, &TypeChoice::from(Recipe::F32));
    for key in VOCABULARY_KEYS {
        let (expected, got) = (
            expected.texts(key).unwrap_or_default(),
            file.texts(key).unwrap_or_default(),
        );
        let parts = expected.iter().zip(got).position(|(a, b)| a != b);
        let problem = match parts {
            Some(at) => format!("{key}[{at}] is {:?}, not {:?}", got[at], expected[at]),
            None if expected.len() != got.len() => {
                format!("{key} has {} entries, not {}", got.len(), expected.len())
            }
            None => continue,
        };
        let side = side.to_owned();
        return Err(VerifyError::Vocabulary { side, problem });
    }
    Ok(())
}
