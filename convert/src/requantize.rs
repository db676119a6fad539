//! From a GGUF to GGUFs of other types. Metadata is kept, known or not, but for what the change makes untrue.

use std::ops::Range;

use crate::error::Error;
use crate::export::Request;
use crate::gguf::{ALIGNMENT_KEY, TensorType};
use crate::metadata;
use crate::quantize::{RowError, TensorRole, roles};
use crate::report::Report;
use crate::source::{Provenance, file};
use crate::stored::StoredModel;
use crate::stream::{self, Output, Progress, TensorSource};

/// What may be done.
#[derive(Debug, Clone, Copy, Default)]
pub struct Permissions {
    /// Quantize what is quantized already. The errors add up: the result is worse than one made of the original.
    pub requantize: bool,
    /// Replace outputs that exist.
    pub replace: bool,
}

/// Says what [`requantize`] would write, without writing or looking at a weight.
///
/// # Errors
///
/// When an override matches no matrix, or something would be quantized twice and may not be.
pub fn preview(
    model: &StoredModel,
    requests: &[Request],
    permissions: Permissions,
) -> Result<Vec<Report>, Error> {
    // A digest has the same length whatever it is of, so the sizes are right without reading the files.
    let sources = model.sources(|_| Ok("0".repeat(64)))?;
    let preview = |request| plan(model, request, permissions, &sources)?.preview();
    requests.iter().map(preview).collect()
}

/// Writes `model` in other types: several outputs from one read, all of them or none. The same files, options and
/// version give the same bytes.
///
/// # Errors
///
/// As [`preview`], and when a tensor cannot be decoded, a weight is not finite or does not fit its type, an output
/// exists and may not be replaced, or reading or writing fails.
pub fn requantize(
    model: &StoredModel,
    requests: &[Request],
    permissions: Permissions,
    observe: impl FnMut(Progress<'_>),
) -> Result<Vec<Report>, Error> {
    // What is refused should be refused before the files are read.
    preview(model, requests, permissions)?;
    let sources = model.sources(file::sha256_of)?;
    let outputs = requests
        .iter()
        .map(|request| plan(model, request, permissions, &sources))
        .collect::<Result<Vec<_>, _>>()?;
    stream::write(&Tensors(model), &outputs, permissions.replace, observe)
}

fn plan(
    model: &StoredModel,
    request: &Request,
    permissions: Permissions,
    sources: &[Provenance],
) -> Result<Output, Error> {
    let types = &request.types;
    let tied = model.tensor("output.weight").is_none();
    let roles: Vec<Option<TensorRole>> = model
        .tensors
        .iter()
        .map(|tensor| roles::of(&tensor.info, tied))
        .collect();
    let matrices = model.tensors.iter().zip(&roles);
    let matrices = matrices.filter(|(_, role)| role.is_some());
    let matrices: Vec<&str> = matrices
        .map(|(tensor, _)| tensor.info.name.as_str())
        .collect();
    types.check_used(&matrices)?;
    let mut tensors = Vec::with_capacity(roles.len());
    for (tensor, role) in model.tensors.iter().zip(roles) {
        let mut info = tensor.info.clone();
        if let Some(role) = role {
            info.kind = types.tensor_type(&info.name, role, tensor.rows_columns.1 as u64);
        }
        let twice = info.kind != tensor.info.kind
            && info.kind.is_quantized()
            && tensor.info.kind.is_quantized();
        if twice && !permissions.requantize {
            return Err(model.refuse(format!(
                "tensor {:?} is {} already, and quantizing it again as {} adds its error to the first; start from a file \
                 of f32, f16 or bf16, or accept that (--allow-requantize)",
                info.name, tensor.info.kind, info.kind
            )));
        }
        tensors.push(info);
    }
    let mut metadata = model.metadata.clone();
    // The writer's alignment is the usual one.
    metadata.remove(ALIGNMENT_KEY);
    metadata::requantized(&mut metadata, sources, types);
    Ok(Output {
        path: request.output.clone(),
        metadata,
        tensors,
        split: request.split,
    })
}

struct Tensors<'a>(&'a StoredModel);

impl TensorSource for Tensors<'_> {
    fn name(&self, tensor: usize) -> &str {
        &self.0.tensors[tensor].info.name
    }

    fn read(&self, tensor: usize, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
        self.0.read(&self.0.tensors[tensor], row, weights)
    }

    fn stored(&self, tensor: usize, row: usize) -> Option<(TensorType, &[u8])> {
        let tensor = &self.0.tensors[tensor];
        Some((tensor.info.kind, self.0.stored(tensor, &(row..row + 1))))
    }

    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error {
        let tensor = &self.0.tensors[tensor];
        self.0.refuse_row(tensor, row, kind, error)
    }

    fn release(&self, tensor: usize, rows: Range<usize>) {
        self.0.release(&self.0.tensors[tensor], &rows);
    }
}
