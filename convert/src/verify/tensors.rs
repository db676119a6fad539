//! How far the weights of a file are from those of its source, tensor by tensor.

use rayon::prelude::*;
use serde::Serialize;

use super::VerifyError;
use crate::forward::{ForwardError, Parameters, Stored, StoredType};
use crate::report::Deviation;

/// One tensor of the file beside that of the source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorError {
    /// Name in the GGUF.
    pub name: String,
    /// How the file stores it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Number of weights.
    pub weights: u64,
    /// Root of the mean squared distance, relative to that of the weights.
    pub relative_rms: f64,
    /// The largest distance of a weight.
    pub largest: f32,
}

/// Compares every tensor; `observe` hears the name of each before its turn, and how many weights are done.
///
/// # Errors
///
/// When a tensor stands on one side only, has another shape, cannot be read, or holds what is no number.
pub fn errors(
    source: &Parameters<'_>,
    file: &Parameters<'_>,
    mut observe: impl FnMut(&str, u64),
) -> Result<Vec<TensorError>, VerifyError> {
    if let Some(extra) = file
        .tensors()
        .iter()
        .find(|one| source.get(&one.name).is_none())
    {
        return Err(VerifyError::ExtraTensor {
            side: file.side.clone(),
            name: extra.name.clone(),
        });
    }
    let mut done = 0;
    let mut found = Vec::new();
    for tensor in source.tensors() {
        observe(&tensor.name, done);
        let stored = file.expect(&tensor.name, tensor.rows, tensor.columns)?;
        let deviation = deviation((source, tensor), (file, stored))?;
        let weights = (tensor.rows * tensor.columns) as u64;
        done += weights;
        source.release(tensor);
        file.release(stored);
        let kind = match stored.kind {
            StoredType::Checkpoint(kind) => kind.to_string(),
            StoredType::Gguf(kind) => kind.to_string(),
        };
        found.push(TensorError {
            name: tensor.name.clone(),
            kind,
            weights,
            relative_rms: deviation.relative_rms(),
            largest: deviation.largest,
        });
    }
    Ok(found)
}

fn deviation(
    (source, tensor): (&Parameters<'_>, &Stored<'_>),
    (file, stored): (&Parameters<'_>, &Stored<'_>),
) -> Result<Deviation, VerifyError> {
    // Collected in the order of the rows, so that the sums do not depend on the number of threads.
    let rows: Vec<Deviation> = (0..tensor.rows)
        .into_par_iter()
        .with_min_len(8)
        .map_init(
            || (Vec::new(), Vec::new()),
            |(expected, got), row| {
                expected.clear();
                got.clear();
                source.row_of_gguf(tensor, row, expected)?;
                file.row_of_gguf(stored, row, got)?;
                for (side, weights) in [(source, &*expected), (file, &*got)] {
                    if weights.iter().any(|weight| !weight.is_finite()) {
                        let what = format!("a weight in row {row} of tensor {:?}", tensor.name);
                        let side = side.side.clone();
                        return Err(VerifyError::from(ForwardError::NotFinite { side, what }));
                    }
                }
                Ok(Deviation::between(expected, got))
            },
        )
        .collect::<Result<_, _>>()?;
    let mut sum = Deviation::default();
    rows.iter().for_each(|row| sum.add(row));
    Ok(sum)
}
