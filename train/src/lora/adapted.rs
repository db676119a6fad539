//! The frozen network, the trained weights of one step, and the two merged.

use std::sync::Arc;

use super::group::{BlockAdapter, Dropout};
use super::layout::{AdapterLayout, DOWN, GATE_UP, GROUPS, OUT, QKV};
use crate::error::Result;
use crate::kernels::simd;
use crate::model::block::with_slice;
use crate::model::network::Weights;
use crate::model::parameters::{BlockLayout, ParameterLayout};

/// A network whose own weights are frozen.
#[derive(Debug)]
pub struct Adapted {
    /// The frozen weights, shared by all steps.
    pub(crate) base: Weights,
    /// Where the trained ones lie.
    pub(crate) layout: Arc<AdapterLayout>,
}

/// The trained weights of one step.
#[derive(Debug, Clone)]
pub struct StepAdapters {
    /// Where they lie.
    pub layout: Arc<AdapterLayout>,
    /// All of them.
    pub values: Arc<Vec<f32>>,
    /// Seed and step of what is left out, when the step is one of training.
    pub(crate) dropout: Option<(u64, u64)>,
}

impl StepAdapters {
    /// The pairs of one block. `piece` is the piece of the batch, where a gradient is wanted: only then something is left out.
    #[must_use]
    pub(crate) fn block(&self, block: usize, piece: Option<usize>) -> BlockAdapter {
        let dropout = self.dropout.zip(piece);
        BlockAdapter {
            layout: Arc::clone(&self.layout),
            values: Arc::clone(&self.values),
            block,
            dropout: dropout.map(|((seed, step), piece)| Dropout { seed, step, piece }),
        }
    }

    /// Ids of the tokens with trained rows, and their rows of the embedding.
    pub(crate) fn input_rows(&self) -> impl Iterator<Item = (u32, &[f32])> {
        self.rows(&self.values[self.layout.input_rows()])
    }

    /// The trained rows of the output matrix, one after the other.
    pub(crate) fn output_rows(&self) -> &[f32] {
        &self.values[self.layout.output_rows()]
    }

    fn rows<'a>(&'a self, rows: &'a [f32]) -> impl Iterator<Item = (u32, &'a [f32])> {
        let hidden = rows.len() / self.layout.tokens.len().max(1);
        let rows = rows.chunks_exact(hidden.max(1));
        self.layout.tokens.iter().copied().zip(rows)
    }
}

impl Adapted {
    /// Lengths of the tensors of a gradient: rows of the embedding, rows of the output matrix, none for the last norm, the groups of every
    /// block.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        let layout = &self.layout;
        let mut lengths = vec![layout.input_rows().len(), layout.output_rows().len(), 0];
        for _ in 0..layout.blocks() {
            lengths.extend(layout.groups.iter().map(|group| group.range.len()));
        }
        lengths
    }

    /// Tensors of a gradient in the order of the flat vector.
    pub(crate) fn gradient<'a>(&self, mut tensors: Vec<&'a mut [f32]>) -> Vec<&'a [f32]> {
        let pairs = tensors.split_off(3);
        let mut parts: Vec<&[f32]> = pairs.into_iter().map(|tensor| &*tensor).collect();
        let mut rows = tensors.into_iter();
        if let (Some(input), Some(output)) = (rows.next(), rows.next()) {
            if self.layout.tied() {
                simd::add(input, output);
                parts.push(input);
            } else {
                parts.push(input);
                parts.push(output);
            }
        }
        parts
    }

    /// Base and trained weights as one network without adapters.
    ///
    /// # Errors
    /// When the frozen tensors cannot be read.
    pub(crate) fn merged(&self, layout: &ParameterLayout, flat: &[f32]) -> Result<Vec<f32>> {
        let mut whole = vec![0.0; layout.total()];
        self.base.copy_to(layout, &mut whole)?;
        let fused = BlockLayout::new(layout.shape());
        let hidden = layout.shape().hidden;
        let adapters = &self.layout;
        for (block, place) in layout.blocks().iter().enumerate() {
            let block_weights = &mut whole[place.clone()];
            for (index, matrix) in [
                (QKV, &fused.qkv),
                (OUT, &fused.out),
                (GATE_UP, &fused.gate_up),
                (DOWN, &fused.down),
            ] {
                let group = &adapters.groups[index];
                let values = &flat[adapters.group(block, index)];
                let downs = values[group.down()].chunks_exact(group.rank * group.input);
                for ((part, up), down) in group.ups().zip(downs) {
                    let rows = part.columns.start * group.input..part.columns.end * group.input;
                    let matrix = &mut block_weights[matrix.clone()][rows];
                    add_pair(matrix, &values[up], down, group.rank, adapters.scale);
                }
            }
        }
        let mut put = |start: usize, rows: &[f32]| {
            for (token, row) in adapters.tokens.iter().zip(rows.chunks_exact(hidden)) {
                let place = start + *token as usize * hidden;
                whole[place..place + hidden].copy_from_slice(row);
            }
        };
        put(layout.embedding().start, &flat[adapters.input_rows()]);
        put(layout.output().start, &flat[adapters.output_rows()]);
        Ok(whole)
    }

    /// The frozen rows of the tokens that are trained: where their training begins. `flat` gets them.
    ///
    /// # Errors
    /// When the frozen tensors cannot be read.
    pub(crate) fn put_rows(&self, layout: &ParameterLayout, flat: &mut [f32]) -> Result<()> {
        let hidden = layout.shape().hidden;
        let output = self.base.output();
        for (tensor, range) in [
            (&self.base.embedding, self.layout.input_rows()),
            (output, self.layout.output_rows()),
        ] {
            let rows = flat[range].chunks_exact_mut(hidden);
            with_slice(tensor, |all| {
                for (row, token) in rows.zip(&self.layout.tokens) {
                    let place = *token as usize * hidden;
                    row.copy_from_slice(&all[place..place + hidden]);
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// W += scale · B · A, row by row and rank by rank in this order and without fused operations: `stride-convert lora` does it so,
/// and the two results are the same to the bit.
fn add_pair(weights: &mut [f32], up: &[f32], down: &[f32], rank: usize, scale: f32) {
    let input = down.len() / rank;
    let mut sum = vec![0.0; input];
    for (row, up) in weights.chunks_exact_mut(input).zip(up.chunks_exact(rank)) {
        sum.fill(0.0);
        for (factor, down) in up.iter().zip(down.chunks_exact(input)) {
            for (sum, down) in sum.iter_mut().zip(down) {
                *sum += factor * down;
            }
        }
        for (weight, sum) in row.iter_mut().zip(&sum) {
            *weight += scale * sum;
        }
    }
}

/// Groups of a block, for whoever counts tensors.
pub(crate) const TENSORS: usize = GROUPS;
