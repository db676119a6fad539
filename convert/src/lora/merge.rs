//! The base with an adapter in it, as rows to write.

use std::ops::Range;
use std::path::Path;

use super::Adapter;
use crate::error::Error;
use crate::export::{self, CheckpointTensors, Request};
use crate::gguf::TensorType;
use crate::plan::{self, PlannedTensor};
use crate::quantize::{Recipe, RowError, TypeChoice};
use crate::report::Report;
use crate::source::Checkpoint;
use crate::stream::{self, Progress, TensorSource};

/// What to merge.
#[derive(Debug)]
pub struct Merge {
    base: Checkpoint,
    adapter: Adapter,
}

impl Merge {
    /// Reads both; the files of the adapter join those that the output says it was made from.
    ///
    /// # Errors
    ///
    /// When either is refused, or they do not fit each other.
    pub fn open(adapter: &Path, mut base: Checkpoint) -> Result<Self, Error> {
        let planned = tensors_of(&base)?;
        let adapter = Adapter::open(adapter, &planned)?;
        base.provenance.extend(adapter.provenance.iter().cloned());
        Ok(Self { base, adapter })
    }

    /// The base.
    #[must_use]
    pub const fn base(&self) -> &Checkpoint {
        &self.base
    }

    /// The adapter.
    #[must_use]
    pub const fn adapter(&self) -> &Adapter {
        &self.adapter
    }
}

/// The tensors of a base; types do not matter here.
pub(super) fn tensors_of(base: &Checkpoint) -> Result<Vec<PlannedTensor>, Error> {
    plan::tensors(base, &TypeChoice::from(Recipe::F32))
}

/// Writes the merged model, as [`export::export_all`] writes the base alone.
///
/// # Errors
///
/// As [`export::export_all`].
pub fn merge_all(
    merge: &Merge,
    requests: &[Request],
    replace: bool,
    observe: impl FnMut(Progress<'_>),
) -> Result<Vec<Report>, Error> {
    let (base, outputs) = export::plan_all(&merge.base, requests)?;
    let source = Merged {
        base,
        adapter: &merge.adapter,
    };
    stream::write(&source, &outputs, replace, observe)
}

/// The rows of the sum.
struct Merged<'a> {
    base: CheckpointTensors<'a>,
    adapter: &'a Adapter,
}

impl TensorSource for Merged<'_> {
    fn name(&self, tensor: usize) -> &str {
        self.base.name(tensor)
    }

    fn read(&self, tensor: usize, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
        let start = weights.len();
        self.base.read(tensor, row, weights)?;
        let planned = &self.base.planned[tensor];
        let row = self.base.row(planned, row);
        self.adapter.replace(&planned.source, row, weights, start);
        if let Some(pair) = self.adapter.pair(&planned.source) {
            self.adapter.add(pair, row, &mut weights[start..]);
        }
        Ok(())
    }

    fn stored(&self, _: usize, _: usize) -> Option<(TensorType, &[u8])> {
        None
    }

    fn importance(&self, tensor: usize, row: usize) -> Option<&[f32]> {
        self.base.importance(tensor, row)
    }

    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error {
        self.base.refuse(tensor, row, kind, error)
    }

    fn release(&self, tensor: usize, rows: Range<usize>) {
        self.base.release(tensor, rows);
    }
}
