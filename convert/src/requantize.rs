//! From a GGUF to GGUFs of other types. Metadata is kept, known or not, but for what the change makes untrue.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Error;
use crate::export::Request;
use crate::gguf::{ALIGNMENT_KEY, Array, Metadata, TensorType, Value};
use crate::importance::{self, ImportanceMatrix};
use crate::metadata;
use crate::quantize::{Member, ModelShape, RowError, TensorRole, TypeChoiceError, roles};
use crate::report::Report;
use crate::source::{Provenance, file};
use crate::stored::{StoredModel, StoredTensor};
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
    let importance = importance::shared(requests.iter().map(|request| &request.types));
    let source = Tensors {
        model,
        importance: importance.map_err(TypeChoiceError::from)?,
    };
    stream::write(&source, &outputs, permissions.replace, observe)
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
    let members: Vec<Member<'_>> = model
        .tensors
        .iter()
        .zip(&roles)
        .filter_map(|(tensor, role)| Some(member(tensor, (*role)?)))
        .collect();
    let matrices: Vec<&str> = members.iter().map(|member| member.name).collect();
    types.check_used(&matrices)?;
    let mut kinds = types.assign(&shape(&model.metadata), &members)?.into_iter();
    let mut tensors = Vec::with_capacity(roles.len());
    for (tensor, role) in model.tensors.iter().zip(roles) {
        let mut info = tensor.info.clone();
        // There are as many types as tensors with a role.
        if let Some(kind) = role.and_then(|_| kinds.next()) {
            info.kind = kind;
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

fn member(tensor: &StoredTensor, role: TensorRole) -> Member<'_> {
    Member {
        name: &tensor.info.name,
        role,
        columns: tensor.rows_columns.1 as u64,
        slices: tensor.info.shape.iter().skip(2).product(),
    }
}

/// What the choice of types looks at. A number that the file has for every layer is that of the first.
fn shape(metadata: &Metadata) -> ModelShape<'_> {
    let architecture = metadata.text("general.architecture").unwrap_or_default();
    let number = |key: &str| {
        let key = format!("{architecture}.{key}");
        let first = match metadata.get(&key) {
            Some(Value::Array(Array::U32(all))) => all.first().map(|&first| u64::from(first)),
            Some(Value::Array(Array::I32(all))) => {
                all.first().and_then(|&first| first.try_into().ok())
            }
            _ => metadata.unsigned(&key),
        };
        first.map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    };
    let heads = number("attention.head_count").unwrap_or(0);
    ModelShape {
        architecture,
        layers: number("block_count").unwrap_or(0),
        heads,
        kv_heads: number("attention.head_count_kv").unwrap_or(heads),
        experts: number("expert_count").unwrap_or(0),
    }
}

struct Tensors<'a> {
    model: &'a StoredModel,
    importance: Option<Arc<ImportanceMatrix>>,
}

impl TensorSource for Tensors<'_> {
    fn name(&self, tensor: usize) -> &str {
        &self.model.tensors[tensor].info.name
    }

    fn read(&self, tensor: usize, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
        self.model.read(&self.model.tensors[tensor], row, weights)
    }

    fn stored(&self, tensor: usize, row: usize) -> Option<(TensorType, &[u8])> {
        let tensor = &self.model.tensors[tensor];
        Some((tensor.info.kind, self.model.stored(tensor, &(row..row + 1))))
    }

    fn importance(&self, tensor: usize, row: usize) -> Option<&[f32]> {
        let tensor = &self.model.tensors[tensor];
        let (rows, columns) = tensor.rows_columns;
        let slices: u64 = tensor.info.shape.iter().skip(2).product();
        let slice = rows / usize::try_from(slices).unwrap_or(1).max(1);
        let importance = self.importance.as_ref()?;
        importance.row(&tensor.info.name, row, slice, columns)
    }

    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error {
        let tensor = &self.model.tensors[tensor];
        self.model.refuse_row(tensor, row, kind, error)
    }

    fn release(&self, tensor: usize, rows: Range<usize>) {
        self.model.release(&self.model.tensors[tensor], &rows);
    }
}
