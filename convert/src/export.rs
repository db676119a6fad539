//! From a checkpoint to GGUF files: what is written where, and which row of the checkpoint becomes which.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::RowPlace;
use crate::architecture::RowOrder;
use crate::error::Error;
use crate::gguf::TensorType;
use crate::importance::{self, ImportanceMatrix};
use crate::metadata;
use crate::plan::{self, PlannedTensor};
use crate::quantize::{Recipe, RowError, TypeChoice, TypeChoiceError};
use crate::report::Report;
use crate::source::Checkpoint;
pub use crate::stream::Progress;
use crate::stream::{self, Output, TensorSource};

/// What to make of a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Types of the tensors.
    pub recipe: Recipe,
    /// Replace an output that exists. Without it an existing file is an error.
    pub replace: bool,
}

/// One of several outputs.
#[derive(Debug, Clone)]
pub struct Request {
    /// The file to write.
    pub output: PathBuf,
    /// Types of its tensors.
    pub types: TypeChoice,
    /// Bytes of a file at most; more become shards `NAME-00001-of-00002.gguf`.
    pub split: Option<u64>,
}

impl Request {
    /// One file, of any size.
    #[must_use]
    pub fn new(output: &Path, types: &TypeChoice) -> Self {
        Self {
            output: output.to_owned(),
            types: types.clone(),
            split: None,
        }
    }
}

/// Says what [`export`] would write, without writing or looking at a weight.
///
/// # Errors
///
/// When the parts of the checkpoint contradict each other (see [`plan::tensors`]), or an override matches no matrix.
pub fn preview(checkpoint: &Checkpoint, types: &TypeChoice) -> Result<Report, Error> {
    let (_, output) = plan(checkpoint, &Request::new(Path::new("the GGUF"), types))?;
    output.preview()
}

/// [`preview`] for several outputs, which may be cut into shards.
///
/// # Errors
///
/// As [`preview`].
pub fn preview_all(checkpoint: &Checkpoint, requests: &[Request]) -> Result<Vec<Report>, Error> {
    let preview = |request| plan(checkpoint, request)?.1.preview();
    requests.iter().map(preview).collect()
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
    observe: impl FnMut(Progress<'_>),
) -> Result<Report, Error> {
    let request = Request::new(output, types);
    let mut reports = export_all(checkpoint, &[request], replace, observe)?;
    Ok(reports.remove(0))
}

/// Writes several outputs from one read of the checkpoint: all of them, or none.
///
/// # Errors
///
/// As [`export_as`], and when two outputs have one name.
pub fn export_all(
    checkpoint: &Checkpoint,
    requests: &[Request],
    replace: bool,
    observe: impl FnMut(Progress<'_>),
) -> Result<Vec<Report>, Error> {
    let (source, outputs) = plan_all(checkpoint, requests)?;
    stream::write(&source, &outputs, replace, observe)
}

/// The rows of `checkpoint`, and the outputs that `requests` make of them.
pub(crate) fn plan_all<'a>(
    checkpoint: &'a Checkpoint,
    requests: &[Request],
) -> Result<(CheckpointTensors<'a>, Vec<Output>), Error> {
    let mut planned = Vec::new();
    let mut outputs = Vec::new();
    for request in requests {
        let (tensors, output) = plan(checkpoint, request)?;
        // The plans differ in types only, which the source does not look at.
        planned = tensors;
        outputs.push(output);
    }
    let importance = importance::shared(requests.iter().map(|request| &request.types));
    let source = CheckpointTensors {
        checkpoint,
        planned,
        importance: importance.map_err(TypeChoiceError::from)?,
    };
    Ok((source, outputs))
}

fn plan(checkpoint: &Checkpoint, request: &Request) -> Result<(Vec<PlannedTensor>, Output), Error> {
    let types = &request.types;
    let planned = plan::tensors(checkpoint, types)?;
    let matrices = planned.iter().filter(|tensor| !tensor.vector);
    let matrices: Vec<&str> = matrices.map(|tensor| tensor.target.as_str()).collect();
    types.check_used(&matrices)?;
    let output = Output {
        path: request.output.clone(),
        metadata: metadata::of(checkpoint, types),
        tensors: planned.iter().map(PlannedTensor::info).collect(),
        split: request.split,
    };
    Ok((planned, output))
}

/// The rows of a checkpoint in llama.cpp's order.
pub(crate) struct CheckpointTensors<'a> {
    checkpoint: &'a Checkpoint,
    pub(crate) planned: Vec<PlannedTensor>,
    importance: Option<Arc<ImportanceMatrix>>,
}

impl CheckpointTensors<'_> {
    /// The row of the checkpoint that becomes `row`.
    pub(crate) fn row(&self, tensor: &PlannedTensor, row: usize) -> usize {
        let head_dim = self.checkpoint.config.head_dim;
        tensor.order.source_row(row, head_dim)
    }
}

impl TensorSource for CheckpointTensors<'_> {
    fn name(&self, tensor: usize) -> &str {
        &self.planned[tensor].target
    }

    fn read(&self, tensor: usize, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
        let tensor = &self.planned[tensor];
        let bytes = self.checkpoint.weights.bytes(&tensor.entry);
        let stride = tensor.columns * tensor.entry.kind.bytes();
        let from = self.row(tensor, row) * stride;
        let first = weights.len();
        tensor
            .entry
            .kind
            .decode(&bytes[from..from + stride], weights);
        if tensor.offset != 0.0 {
            let row = &mut weights[first..];
            row.iter_mut().for_each(|weight| *weight += tensor.offset);
        }
        Ok(())
    }

    fn stored(&self, _: usize, _: usize) -> Option<(TensorType, &[u8])> {
        None
    }

    fn importance(&self, tensor: usize, row: usize) -> Option<&[f32]> {
        let tensor = &self.planned[tensor];
        let importance = self.importance.as_ref()?;
        importance.row(&tensor.target, row, tensor.rows, tensor.columns)
    }

    /// Names the tensor, and the weight by its place in the checkpoint.
    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error {
        let tensor = &self.planned[tensor];
        let place = RowPlace {
            name: tensor.source.clone(),
            row: self.row(tensor, row),
            columns: tensor.columns,
            weights: Some(tensor.entry.kind),
        };
        place.refuse(kind, error)
    }

    fn release(&self, tensor: usize, rows: Range<usize>) {
        let tensor = &self.planned[tensor];
        let stride = tensor.columns * tensor.entry.kind.bytes();
        // Heads lie apart from their place in the output, so a reordered tensor goes as a whole, at its end.
        let part = match tensor.order {
            RowOrder::Kept => rows.start * stride..rows.end * stride,
            RowOrder::Interleaved if rows.end == tensor.rows => 0..tensor.rows * stride,
            RowOrder::Interleaved => return,
        };
        self.checkpoint.weights.release(&tensor.entry, &part);
    }
}
