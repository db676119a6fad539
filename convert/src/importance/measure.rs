//! Making a matrix: the squares of what every matrix is multiplied with, summed over the tokens that a model is shown,
//! and written in the form that `llama-imatrix` writes today.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use rayon::prelude::*;

use super::gguf_form::{CHUNK_COUNT, CHUNK_SIZE, COUNTS, DATASETS, SUMS};
use crate::error::Error;
use crate::forward::{self, ForwardError, Observe, Parameters};
use crate::gguf::{Metadata, TensorInfo, TensorType};
use crate::quantize::RowError;
use crate::stream::{self, Output, TensorSource};
use crate::verify::divergence::{batch_of, batch_tokens, batches_of};
use crate::verify::{Progress, Sample};
use crate::{RowPlace, metadata};

/// Columns that a thread sums.
const PART: usize = 64;
/// The matrix of the logits.
const OUTPUT: &str = "output.weight";

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// By the name of the matrix, the sum of squares for every column.
    sums: BTreeMap<String, Vec<f64>>,
    /// Tokens that were summed over.
    pub tokens: usize,
    /// Sequences they stood in.
    pub sequences: usize,
    /// Tokens of the longest.
    pub longest: usize,
}

/// Sums up the activations that go into every matrix of the layers, over all tokens of `samples`; those that make the
/// logits too with `logits`, where the embedding does not make them. `observe` hears of every layer that is done.
///
/// # Errors
///
/// When a tensor is absent, of another shape or unreadable, a token is outside the vocabulary, or an activation is no
/// number.
pub fn measure(
    parameters: &Parameters<'_>,
    samples: &[Sample],
    logits: bool,
    mut observe: impl FnMut(Progress<'_>),
) -> Result<Measurement, ForwardError> {
    let mut squares = Squares::default();
    let length = |sample: &Sample| sample.tokens.len();
    let batches = batches_of(samples, batch_tokens(parameters), length);
    let total = (batches.len() * parameters.network.layers) as u64;
    let mut done = 0;
    let logits = logits && parameters.logits()?.name == OUTPUT;
    for part in batches {
        let mut step = || {
            done += 1;
            observe(Progress {
                work: "activations",
                done,
                total,
            });
        };
        let hidden = forward::hidden(parameters, &batch_of(part), &mut squares, &mut step)?;
        if logits {
            squares.input(OUTPUT, &hidden, parameters.network.hidden);
        }
    }
    Ok(Measurement {
        sums: squares.sums,
        tokens: samples.iter().map(length).sum(),
        sequences: samples.len(),
        longest: samples.iter().map(length).max().unwrap_or(0),
    })
}

#[derive(Debug, Default)]
struct Squares {
    sums: BTreeMap<String, Vec<f64>>,
}

impl Observe for Squares {
    fn input(&mut self, matrix: &str, rows: &[f32], columns: usize) {
        let sums = self.sums.entry(matrix.to_owned());
        let sums = sums.or_insert_with(|| vec![0.0; columns]);
        // Every column goes through the rows in their order, so the sums are the same on any number of threads.
        let parts = sums.par_chunks_mut(PART).enumerate();
        parts.for_each(|(part, sums)| {
            for row in rows.chunks_exact(columns) {
                for (sum, &x) in sums.iter_mut().zip(&row[part * PART..]) {
                    *sum += f64::from(x) * f64::from(x);
                }
            }
        });
    }
}

impl Measurement {
    /// Number of matrices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sums.len()
    }

    /// True where nothing was shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// Writes it to `output`, with the name of what the model was shown.
    ///
    /// # Errors
    ///
    /// When the output exists and may not be replaced, or writing fails.
    pub fn write(&self, output: &Path, dataset: &str, replace: bool) -> Result<(), Error> {
        let whole = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut pairs = Metadata::new();
        pairs.set("general.type", "imatrix");
        pairs.set(DATASETS, vec![dataset.to_owned()]);
        pairs.set(CHUNK_COUNT, whole(self.sequences));
        pairs.set(CHUNK_SIZE, whole(self.longest));
        pairs.set(metadata::CONVERTER_KEY, metadata::CONVERTER);
        let tensors = self.tensors();
        let info = |(name, numbers): &(String, Vec<f32>)| TensorInfo {
            name: name.clone(),
            shape: vec![numbers.len() as u64],
            kind: TensorType::F32,
        };
        let outputs = [Output {
            path: output.to_owned(),
            metadata: pairs,
            tensors: tensors.iter().map(info).collect(),
            split: None,
        }];
        stream::write(&Numbers(tensors), &outputs, replace, |_| {})?;
        Ok(())
    }

    /// Sums and counts of every matrix.
    fn tensors(&self) -> Vec<(String, Vec<f32>)> {
        let pair = |(name, sums): (&String, &Vec<f64>)| {
            let sums = sums.iter().map(|&sum| sum as f32).collect();
            [
                (format!("{name}{SUMS}"), sums),
                (format!("{name}{COUNTS}"), vec![self.tokens as f32]),
            ]
        };
        self.sums.iter().flat_map(pair).collect()
    }
}

/// Vectors by name, as rows to write.
struct Numbers(Vec<(String, Vec<f32>)>);

impl TensorSource for Numbers {
    fn name(&self, tensor: usize) -> &str {
        &self.0[tensor].0
    }

    fn read(&self, tensor: usize, _: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
        weights.extend(&self.0[tensor].1);
        Ok(())
    }

    fn stored(&self, _: usize, _: usize) -> Option<(TensorType, &[u8])> {
        None
    }

    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error {
        let (name, numbers) = &self.0[tensor];
        let place = RowPlace {
            name: name.clone(),
            row,
            columns: numbers.len(),
            weights: None,
        };
        place.refuse(kind, error)
    }

    fn release(&self, _: usize, _: Range<usize>) {}
}
