//! The conversion. Rows are read from the map, quantized in parallel and written in order, a few MiB at a time, so
//! memory does not grow with the model. The file is written beside its place, read back, synced and renamed.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::Error;
use crate::gguf::{self, GgufWriter, TensorInfo, TensorType};
use crate::metadata;
use crate::output::{create_beside, exists, publish};
use crate::plan::{self, PlannedTensor};
use crate::quantize::{self, Recipe, RowError, TypeChoice};
use crate::report::{Deviation, Report, TensorReport};
use crate::source::{Checkpoint, SourceError};

/// Weights that are in memory at once (4 MiB as f32), or one row where a row is longer.
const CHUNK_WEIGHTS: usize = 1 << 20;

/// What to make of a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Types of the tensors.
    pub recipe: Recipe,
    /// Replace an output that exists. Without it an existing file is an error.
    pub replace: bool,
}

/// How far a conversion is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The tensor in work, by its name in the GGUF.
    pub tensor: &'a str,
    /// Weights written.
    pub done: u64,
    /// Weights in all.
    pub total: u64,
}

/// Says what [`export`] would write, without writing or looking at a weight.
///
/// # Errors
///
/// When the parts of the checkpoint contradict each other (see [`plan::tensors`]), or an override matches no matrix.
pub fn preview(checkpoint: &Checkpoint, types: &TypeChoice) -> Result<Report, Error> {
    let planned = plan::tensors(checkpoint, types)?;
    let matrices = planned.iter().filter(|tensor| !tensor.vector);
    let matrices: Vec<&str> = matrices.map(|tensor| tensor.target.as_str()).collect();
    types.check_used(&matrices)?;
    let infos: Vec<TensorInfo> = planned.iter().map(PlannedTensor::info).collect();
    let refused = |source| Error::Write {
        path: PathBuf::from("the GGUF"),
        source,
    };
    let file_bytes =
        gguf::file_bytes(&metadata::of(checkpoint, types.recipe), &infos).map_err(refused)?;
    let tensors = planned
        .iter()
        .zip(&infos)
        .map(|(tensor, info)| {
            Ok(TensorReport {
                name: info.name.clone(),
                kind: info.kind,
                weights: tensor.weights(),
                bytes: info.bytes().map_err(refused)?,
                deviation: None,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Report {
        tensors,
        file_bytes,
    })
}

/// Writes `checkpoint` to `output`. The same checkpoint, options and version give the same bytes.
///
/// # Errors
///
/// When the checkpoint contradicts itself, a weight is not finite or does not fit its type, the output exists and
/// may not be replaced, or writing fails. No file is left under the output's name that was not there before.
pub fn export(
    checkpoint: &Checkpoint,
    output: &Path,
    options: Options,
    observe: impl FnMut(Progress<'_>),
) -> Result<Report, Error> {
    let types = TypeChoice::from(options.recipe);
    export_as(checkpoint, output, &types, options.replace, observe)
}

/// [`export`] with overrides for single tensors.
///
/// # Errors
///
/// As [`export`], and when an override matches no matrix.
pub fn export_as(
    checkpoint: &Checkpoint,
    output: &Path,
    types: &TypeChoice,
    replace: bool,
    mut observe: impl FnMut(Progress<'_>),
) -> Result<Report, Error> {
    if !replace && output.exists() {
        return Err(exists(output));
    }
    let mut report = preview(checkpoint, types)?;
    let planned = plan::tensors(checkpoint, types)?;
    let infos: Vec<TensorInfo> = planned.iter().map(PlannedTensor::info).collect();
    let metadata = metadata::of(checkpoint, types.recipe);
    let refused = |source| Error::Write {
        path: output.to_owned(),
        source,
    };

    let beside = create_beside(output)?;
    let buffered = BufWriter::with_capacity(1 << 20, beside.as_file());
    let mut writer = GgufWriter::start(buffered, &metadata, &infos).map_err(refused)?;
    let total = planned.iter().map(PlannedTensor::weights).sum();
    let mut done = 0;
    for (tensor, line) in planned.iter().zip(&mut report.tensors) {
        let mut deviation = Deviation::default();
        let chunk = (CHUNK_WEIGHTS / tensor.columns).max(1);
        for first in (0..tensor.rows).step_by(chunk) {
            let last = (first + chunk).min(tensor.rows);
            observe(Progress {
                tensor: &tensor.target,
                done,
                total,
            });
            for row in store_rows(checkpoint, tensor, first..last) {
                let (bytes, moved) = row?;
                writer.write(&bytes).map_err(refused)?;
                deviation.add(&moved);
            }
            done += ((last - first) * tensor.columns) as u64;
        }
        writer.end_tensor().map_err(refused)?;
        checkpoint.weights.release(&tensor.entry);
        line.deviation = Some(deviation);
    }
    drop(writer.finish().map_err(refused)?);
    publish(beside, output, replace, &metadata, &infos)?;
    observe(Progress {
        tensor: "",
        done,
        total,
    });
    Ok(report)
}

/// Stores some rows of a tensor, in parallel; the results are in the order of the rows.
fn store_rows(
    checkpoint: &Checkpoint,
    tensor: &PlannedTensor,
    rows: std::ops::Range<usize>,
) -> Vec<Result<(Vec<u8>, Deviation), Error>> {
    let source = checkpoint.weights.bytes(&tensor.entry);
    let stride = tensor.columns * tensor.entry.kind.bytes();
    rows.into_par_iter()
        .with_min_len(8)
        .map_init(
            || (Vec::new(), Vec::new()),
            |(weights, read_back), row| {
                let from = tensor.order.source_row(row, checkpoint.config.head_dim);
                weights.clear();
                read_back.clear();
                let bytes = &source[from * stride..(from + 1) * stride];
                tensor.entry.kind.decode(bytes, weights);
                store_row(tensor.kind, weights, read_back)
                    .map_err(|error| refuse_row(tensor, from, error))
            },
        )
        .collect()
}

fn store_row(
    kind: TensorType,
    weights: &[f32],
    read_back: &mut Vec<f32>,
) -> Result<(Vec<u8>, Deviation), RowError> {
    let mut bytes = Vec::new();
    quantize::encode_row(kind, weights, &mut bytes)?;
    quantize::decode_row(kind, &bytes, read_back)?;
    let mut deviation = Deviation::default();
    for (&weight, &read) in weights.iter().zip(read_back.iter()) {
        let distance = (weight - read).abs();
        deviation.largest = deviation.largest.max(distance);
        deviation.squared_error += f64::from(distance).powi(2);
        deviation.squared_weights += f64::from(weight).powi(2);
    }
    Ok((bytes, deviation))
}

/// Names the tensor, and the weight by its place in the checkpoint.
fn refuse_row(tensor: &PlannedTensor, row: usize, error: RowError) -> Error {
    let name = tensor.source.clone();
    let index = |column: usize| (row * tensor.columns + column) as u64;
    match error {
        RowError::NotFinite { column, value } => Error::Source(SourceError::NotFinite {
            name,
            index: index(column),
            kind: tensor.entry.kind,
            value,
        }),
        RowError::OutOfRange { column, value } => Error::OutOfRange {
            name,
            index: index(column),
            value,
            kind: tensor.kind,
        },
        RowError::Unsupported(kind) => Error::Unsupported { name, kind },
    }
}
