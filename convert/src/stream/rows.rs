//! Encoding a few rows for every output, in parallel.

use std::ops::Range;

use rayon::prelude::*;

use super::TensorSource;
use crate::error::Error;
use crate::gguf::TensorType;
use crate::quantize::{self, RowError};
use crate::report::Deviation;

/// Weights that one thread works on at a time, so that handing out work costs little beside it.
const GROUP_WEIGHTS: usize = 1 << 14;

/// Some rows as an output stores them.
#[derive(Default)]
pub(super) struct Part {
    pub(super) bytes: Vec<u8>,
    pub(super) moved: Deviation,
}

/// Encodes `rows` of a tensor, one part per type and group of rows; groups are in the order of the rows.
pub(super) fn encode(
    source: &dyn TensorSource,
    tensor: usize,
    rows: Range<usize>,
    columns: usize,
    kinds: &[TensorType],
) -> Vec<Result<Vec<Part>, Error>> {
    let size = (GROUP_WEIGHTS / columns).max(1);
    let groups = rows.len().div_ceil(size);
    let group = |index: usize| {
        let first = rows.start + index * size;
        first..(first + size).min(rows.end)
    };
    (0..groups)
        .into_par_iter()
        .map_init(Vec::new, |weights, index| {
            let mut parts: Vec<Part> = kinds.iter().map(|_| Part::default()).collect();
            for row in group(index) {
                encode_row(source, tensor, row, kinds, weights, &mut parts)?;
            }
            Ok(parts)
        })
        .collect()
}

fn encode_row(
    source: &dyn TensorSource,
    tensor: usize,
    row: usize,
    kinds: &[TensorType],
    weights: &mut Vec<f32>,
    parts: &mut [Part],
) -> Result<(), Error> {
    let stored = source.stored(tensor, row);
    let as_stored = |kind: TensorType| stored.filter(|&(stored, _)| stored == kind);
    weights.clear();
    match source.read(tensor, row, weights) {
        // What cannot be decoded can still be copied.
        Err(RowError::Unsupported(_)) if kinds.iter().all(|&kind| as_stored(kind).is_some()) => {}
        Err(error) => return Err(source.refuse(tensor, row, kinds[0], error)),
        Ok(()) => {}
    }
    for (&kind, part) in kinds.iter().zip(parts) {
        let encoded = match as_stored(kind) {
            Some((_, bytes)) => copy(bytes, weights, part),
            None => store(kind, weights, source.importance(tensor, row), part),
        };
        encoded.map_err(|error| source.refuse(tensor, row, kind, error))?;
    }
    Ok(())
}

fn copy(bytes: &[u8], weights: &[f32], part: &mut Part) -> Result<(), RowError> {
    quantize::check_finite(weights)?;
    part.bytes.extend(bytes);
    part.moved.add(&Deviation::between(weights, weights));
    Ok(())
}

fn store(
    kind: TensorType,
    weights: &[f32],
    importance: Option<&[f32]>,
    part: &mut Part,
) -> Result<(), RowError> {
    let start = part.bytes.len();
    quantize::encode_row_under(kind, weights, importance, &mut part.bytes)?;
    let mut read_back = Vec::with_capacity(weights.len());
    quantize::decode_row(kind, &part.bytes[start..], &mut read_back)?;
    part.moved.add(&Deviation::between(weights, &read_back));
    Ok(())
}
