//! What tells two stored models apart: metadata by key, tensors by what they read as.

use std::collections::BTreeSet;
use std::fmt;

use rayon::prelude::*;
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::gguf::{TensorInfo, Value};
use crate::inspect::{printable, value_to_json};
use crate::quantize::{self, RowError};
use crate::report::Deviation;
use crate::stored::{StoredModel, StoredTensor};

/// Weights that are decoded at a time on each side.
const CHUNK_WEIGHTS: usize = 1 << 20;
/// Characters of a value that are shown on a line.
const SHOWN_CHARACTERS: usize = 60;

/// A key whose values differ; `None` on the side that does not have it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyDifference {
    /// The key.
    pub key: String,
    /// In the first model.
    pub first: Option<Value>,
    /// In the second.
    pub second: Option<Value>,
}

/// A tensor that differs; `None` on the side that does not have it.
#[derive(Debug, Clone)]
pub struct TensorDifference {
    /// Its name.
    pub name: String,
    /// Shape and type in the first model.
    pub first: Option<TensorInfo>,
    /// In the second.
    pub second: Option<TensorInfo>,
    /// How far the weights of the second are from those of the first. `None` where the shapes differ, or one of the
    /// types cannot be decoded.
    pub distance: Option<Deviation>,
}

/// All differences.
#[derive(Debug, Clone, Default)]
pub struct Differences {
    /// Keys, in alphabetical order.
    pub metadata: Vec<KeyDifference>,
    /// Tensors, in the order of the first model, then those that only the second has.
    pub tensors: Vec<TensorDifference>,
    /// Tensors that are the same byte for byte.
    pub same_tensors: usize,
}

impl Differences {
    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.metadata.is_empty() && self.tensors.is_empty()
    }
}

/// Compares two models. The order of keys and tensors, and into how many files a model is cut, is no difference.
///
/// # Errors
///
/// When a weight of a tensor that differs is not finite.
pub fn compare(first: &StoredModel, second: &StoredModel) -> Result<Differences, Error> {
    let keys = first.metadata.iter().chain(second.metadata.iter());
    let keys: BTreeSet<&str> = keys.map(|(key, _)| key).collect();
    let metadata = keys
        .into_iter()
        .map(|key| KeyDifference {
            key: key.to_owned(),
            first: first.metadata.get(key).cloned(),
            second: second.metadata.get(key).cloned(),
        })
        .filter(|pair| pair.first != pair.second)
        .collect();
    let mut differences = Differences {
        metadata,
        ..Differences::default()
    };
    for tensor in &first.tensors {
        let other = second.tensor(&tensor.info.name);
        let distance = match other {
            None => None,
            Some(other) if same_bytes((first, tensor), (second, other)) => {
                differences.same_tensors += 1;
                continue;
            }
            Some(other) => distance((first, tensor), (second, other))?,
        };
        differences.tensors.push(TensorDifference {
            name: tensor.info.name.clone(),
            first: Some(tensor.info.clone()),
            second: other.map(|other| other.info.clone()),
            distance,
        });
    }
    let only_second = second.tensors.iter();
    let only_second = only_second.filter(|tensor| first.tensor(&tensor.info.name).is_none());
    differences
        .tensors
        .extend(only_second.map(|tensor| TensorDifference {
            name: tensor.info.name.clone(),
            first: None,
            second: Some(tensor.info.clone()),
            distance: None,
        }));
    Ok(differences)
}

type Side<'a> = (&'a StoredModel, &'a StoredTensor);

/// Pieces of a tensor, so that no more than one is resident.
fn chunks(tensor: &StoredTensor) -> impl Iterator<Item = std::ops::Range<usize>> {
    let (rows, columns) = tensor.rows_columns;
    let chunk = (CHUNK_WEIGHTS / columns).max(1);
    (0..rows)
        .step_by(chunk)
        .map(move |first| first..(first + chunk).min(rows))
}

fn same_bytes(first: Side<'_>, second: Side<'_>) -> bool {
    let shape = |side: Side<'_>| (side.1.info.shape.clone(), side.1.info.kind);
    shape(first) == shape(second)
        && chunks(first.1).all(|rows| {
            let same = first.0.stored(first.1, &rows) == second.0.stored(second.1, &rows);
            first.0.release(first.1, &rows);
            second.0.release(second.1, &rows);
            same
        })
}

fn distance(first: Side<'_>, second: Side<'_>) -> Result<Option<Deviation>, Error> {
    if first.1.info.shape != second.1.info.shape {
        return Ok(None);
    }
    let mut sum = Deviation::default();
    for rows in chunks(first.1) {
        let parts: Vec<Result<_, (Side<'_>, RowError)>> = rows
            .clone()
            .into_par_iter()
            .map_init(
                || (Vec::new(), Vec::new()),
                |(weights, others), row| {
                    read(first, row, weights).map_err(|error| (first, error))?;
                    read(second, row, others).map_err(|error| (second, error))?;
                    Ok(Deviation::between(weights, others))
                },
            )
            .collect();
        for (row, part) in rows.clone().zip(parts) {
            match part {
                Ok(part) => sum.add(&part),
                Err((_, RowError::Unsupported(_))) => return Ok(None),
                Err(((model, tensor), error)) => {
                    return Err(model.refuse_row(tensor, row, tensor.info.kind, error));
                }
            }
        }
        first.0.release(first.1, &rows);
        second.0.release(second.1, &rows);
    }
    Ok(Some(sum))
}

fn read(side: Side<'_>, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
    weights.clear();
    side.0.read(side.1, row, weights)?;
    quantize::check_finite(weights)
}

/// The differences for people. A line begins with `-` for the first model and `+` for the second.
impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pair in &self.metadata {
            writeln!(f, "key {}", printable(&pair.key, usize::MAX))?;
            for (sign, value) in [('-', &pair.first), ('+', &pair.second)] {
                if let Some(value) = value {
                    let value = value_to_json(value, false).to_string();
                    writeln!(f, "  {sign} {}", printable(&value, SHOWN_CHARACTERS))?;
                }
            }
        }
        for tensor in &self.tensors {
            writeln!(f, "tensor {}", printable(&tensor.name, usize::MAX))?;
            for (sign, info) in [('-', &tensor.first), ('+', &tensor.second)] {
                if let Some(info) = info {
                    let shape: Vec<String> = info.shape.iter().map(u64::to_string).collect();
                    writeln!(f, "  {sign} {} {}", info.kind, shape.join(" x "))?;
                }
            }
            if let Some(distance) = &tensor.distance {
                let (largest, relative) = (distance.largest, distance.relative_rms());
                writeln!(
                    f,
                    "  largest error {largest:.3e}, relative rms {relative:.3e}"
                )?;
            }
        }
        let (keys, tensors, same) = (self.metadata.len(), self.tensors.len(), self.same_tensors);
        writeln!(
            f,
            "{keys} keys and {tensors} tensors differ, {same} tensors are the same"
        )
    }
}

impl Differences {
    /// The differences as JSON.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let value = |value: &Option<Value>| value.as_ref().map(|value| value_to_json(value, false));
        let info = |info: &Option<TensorInfo>| {
            info.as_ref().map(|info| {
                json!({
                    "type": info.kind.name(),
                    "shape": info.shape,
                    // A shape that was read has a size.
                    "bytes": info.bytes().unwrap_or(0),
                })
            })
        };
        let keys = self.metadata.iter().map(|pair| {
            json!({ "key": pair.key, "first": value(&pair.first), "second": value(&pair.second) })
        });
        let tensors = self.tensors.iter().map(|tensor| {
            json!({
                "name": tensor.name,
                "first": info(&tensor.first),
                "second": info(&tensor.second),
                "largest_error": tensor.distance.map(|distance| distance.largest),
                "relative_rms": tensor.distance.map(|distance| distance.relative_rms()),
            })
        });
        json!({
            "same": self.is_empty(),
            "metadata": keys.collect::<Vec<_>>(),
            "tensors": tensors.collect::<Vec<_>>(),
            "same_tensors": self.same_tensors,
        })
    }
}
