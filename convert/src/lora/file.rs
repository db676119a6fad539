//! An adapter as a GGUF of its own, as llama.cpp's `convert_lora_to_gguf.py` lays it out: `NAME.lora_a` and
//! `NAME.lora_b` for every matrix `NAME` of the base, the rows of B in the order of the base's GGUF.

use std::ops::Range;
use std::path::Path;

use super::adapter::Adapter;
use super::merge::{Merge, tensors_of};
use crate::RowPlace;
use crate::architecture::RowOrder;
use crate::error::Error;
use crate::gguf::{Metadata, TensorInfo, TensorType};
use crate::metadata;
use crate::quantize::{Recipe, RowError, TypeChoice};
use crate::report::Report;
use crate::source::WeightEntry;
use crate::stream::{self, Output, Progress, TensorSource};

/// Writes the adapter of `merge` to `output`, its matrices as `recipe` says (F32, F16 or BF16 make sense).
///
/// # Errors
///
/// When the adapter brings rows of tokens along, a weight is not finite or does not fit the type, the output exists and may not be replaced, or writing fails.
pub fn write_adapter(
    merge: &Merge,
    output: &Path,
    recipe: Recipe,
    replace: bool,
    observe: impl FnMut(Progress<'_>),
) -> Result<Report, Error> {
    if merge.adapter().rows() > 0 {
        return Err(Error::Model {
            path: output.to_owned(),
            problem: "the adapter brings rows of the embedding along (trainable_token_indices), which an adapter of llama.cpp \
                      cannot hold; merge it (--merge)"
                .into(),
        });
    }
    let mut halves = Vec::new();
    for tensor in tensors_of(merge.base())? {
        let Some(pair) = merge.adapter().pair(&tensor.source) else {
            continue;
        };
        let half = |suffix, entry: &WeightEntry, order| Half {
            name: format!("{}.{suffix}", tensor.target),
            source: tensor.source.clone(),
            entry: entry.clone(),
            order,
        };
        halves.push(half("lora_a", &pair.down, RowOrder::Kept));
        halves.push(half("lora_b", &pair.up, tensor.order));
    }
    let tensors = halves.iter().map(|half| TensorInfo {
        name: half.name.clone(),
        shape: half
            .entry
            .shape
            .iter()
            .rev()
            .map(|&size| size as u64)
            .collect(),
        kind: recipe.matrix_type(),
    });
    let outputs = [Output {
        path: output.to_owned(),
        metadata: pairs(merge, recipe),
        tensors: tensors.collect(),
        split: None,
    }];
    let source = Halves {
        adapter: merge.adapter(),
        head_dim: merge.base().config.head_dim,
        halves,
    };
    let mut reports = stream::write(&source, &outputs, replace, observe)?;
    Ok(reports.remove(0))
}

/// What llama.cpp wants to know of an adapter, and where it comes from.
fn pairs(merge: &Merge, recipe: Recipe) -> Metadata {
    let mut metadata = Metadata::new();
    let architecture = merge.base().config.architecture.name;
    metadata.set("general.architecture", architecture);
    metadata.set("general.type", "adapter");
    metadata.set("general.file_type", recipe.file_type());
    metadata.set("adapter.type", "lora");
    metadata.set("adapter.lora.alpha", merge.adapter().config.alpha());
    // The base is among the sources: an adapter fits that base alone.
    let sources = &merge.base().provenance;
    metadata::provenance(&mut metadata, sources, &TypeChoice::from(recipe));
    metadata
}

/// A or B of a pair.
struct Half {
    name: String,
    source: String,
    entry: WeightEntry,
    order: RowOrder,
}

impl Half {
    fn columns(&self) -> usize {
        self.entry.shape.last().copied().unwrap_or(1)
    }
}

struct Halves<'a> {
    adapter: &'a Adapter,
    head_dim: usize,
    halves: Vec<Half>,
}

impl Halves<'_> {
    fn row(&self, tensor: usize, row: usize) -> usize {
        self.halves[tensor].order.source_row(row, self.head_dim)
    }
}

impl TensorSource for Halves<'_> {
    fn name(&self, tensor: usize) -> &str {
        &self.halves[tensor].name
    }

    fn read(&self, tensor: usize, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
        let from = self.row(tensor, row);
        self.adapter.row(&self.halves[tensor].entry, from, weights);
        Ok(())
    }

    fn stored(&self, _: usize, _: usize) -> Option<(TensorType, &[u8])> {
        None
    }

    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error {
        let half = &self.halves[tensor];
        let place = RowPlace {
            name: format!("the adapter's {} ({})", half.source, half.name),
            row: self.row(tensor, row),
            columns: half.columns(),
            weights: Some(half.entry.kind),
        };
        place.refuse(kind, error)
    }

    fn release(&self, _: usize, _: Range<usize>) {}
}
