//! The whole network: loss and gradient of a packed batch, or likelihoods only.

use std::sync::{Arc, PoisonError};

use candle_core::{Device, Tensor, Var};

use super::block::{Block, BlockContext, BlockShare, with_slice};
use super::head::{HeadShare, LikelihoodHead};
use super::packed::PackedBatch;
use super::parameters::{BlockLayout, ParameterLayout};
use super::sum::{GradientSum, Promise, Share};
use crate::error::Result;
use crate::kernels::{norm, simd};
use crate::lora::adapted::{self, Adapted, StepAdapters};
use crate::lora::layout::AdapterLayout;

/// Tensors of a network's [`GradientSum`]; behind them those of the blocks, or one for every group of adapters. The
/// embedding and the output matrix have one each, also where they are the same weights: a tensor has one turn for every piece.
const EMBEDDING: usize = 0;
const OUTPUT: usize = 1;
const NORM: usize = 2;
const BLOCKS: usize = 3;

/// Sizes, places of the weights and scratch memory of a network; the weights themselves are [`Weights`].
#[derive(Debug, Clone)]
pub struct Network {
    layout: Arc<ParameterLayout>,
    context: Arc<BlockContext>,
    /// The frozen weights, when only adapters are trained.
    adapted: Option<Arc<Adapted>>,
}

/// The weights of one optimizer step as candle tensors. They can be read from several threads.
#[derive(Debug, Clone)]
pub struct Weights {
    pub(crate) embedding: Tensor,
    blocks: Vec<Tensor>,
    norm: Tensor,
    /// The output matrix, when it is not the embedding.
    output: Option<Tensor>,
    /// The adapters, when the others are frozen.
    adapters: Option<StepAdapters>,
}

impl Weights {
    fn of(layout: &ParameterLayout, flat: &[f32]) -> Result<Self> {
        let hidden = layout.shape().hidden;
        let copy = |range: std::ops::Range<usize>, dims: &[usize]| {
            Tensor::from_slice(&flat[range], dims, &Device::Cpu)
        };
        let matrix = [layout.vocab_size(), hidden];
        let blocks = layout.blocks().iter();
        Ok(Self {
            embedding: copy(layout.embedding(), &matrix)?,
            blocks: blocks
                .map(|range| copy(range.clone(), &[range.len()]))
                .collect::<candle_core::Result<_>>()?,
            norm: copy(layout.norm(), &[hidden])?,
            output: if layout.shape().tie_embeddings {
                None
            } else {
                Some(copy(layout.output(), &matrix)?)
            },
            adapters: None,
        })
    }

    /// The output matrix, which may be the embedding.
    pub(crate) fn output(&self) -> &Tensor {
        self.output.as_ref().unwrap_or(&self.embedding)
    }

    /// Copies all weights but the adapters back into a flat vector.
    pub(crate) fn copy_to(&self, layout: &ParameterLayout, flat: &mut [f32]) -> Result<()> {
        let mut put = |tensor: &Tensor, range: std::ops::Range<usize>| {
            with_slice(tensor, |values| {
                flat[range].copy_from_slice(values);
                Ok(())
            })
        };
        put(&self.embedding, layout.embedding())?;
        for (tensor, range) in self.blocks.iter().zip(layout.blocks()) {
            put(tensor, range.clone())?;
        }
        put(&self.norm, layout.norm())?;
        Ok(put(self.output(), layout.output())?)
    }

    /// The same weights for a step of training: where there are adapters with dropout, seed and step say what is left out.
    #[must_use]
    pub fn in_training(mut self, seed: u64, step: u64) -> Self {
        if let Some(adapters) = &mut self.adapters {
            adapters.dropout = Some((seed, step));
        }
        self
    }
}

/// −log p of every asked row of a batch.
#[derive(Debug, Clone, Default)]
pub struct Likelihoods {
    /// −log p(target), in the order of [`super::packed::Asked`].
    pub nll: Vec<f32>,
    /// Whether the target was the most likely token.
    pub greedy: Vec<bool>,
}

impl Network {
    /// A network of this layout.
    #[must_use]
    pub fn new(layout: ParameterLayout) -> Self {
        let context = Arc::new(BlockContext::new(layout.shape()));
        Self {
            layout: Arc::new(layout),
            context,
            adapted: None,
        }
    }

    /// A network with frozen weights (`flat`) and trained adapters. Flat vectors are then those of the adapters' layout.
    ///
    /// # Errors
    /// When candle cannot make the tensors.
    ///
    /// # Panics
    /// When `flat` is shorter than the layout's total.
    pub fn adapted(layout: ParameterLayout, flat: &[f32], adapters: AdapterLayout) -> Result<Self> {
        let base = Weights::of(&layout, flat)?;
        let mut network = Self::new(layout);
        network.adapted = Some(Arc::new(Adapted {
            base,
            layout: Arc::new(adapters),
        }));
        Ok(network)
    }

    /// The same network, which keeps of the blocks' activations nothing but their inputs and computes the rest again when the
    /// gradient needs it (gradient checkpointing): the same numbers for less memory and one more forward pass.
    #[must_use]
    pub fn recomputing(mut self, recompute: bool) -> Self {
        let mut context = BlockContext::new(self.layout.shape());
        context.recompute = recompute;
        self.context = Arc::new(context);
        self
    }

    /// Weights that are trained: all, or those of the adapters.
    #[must_use]
    pub fn trained(&self) -> usize {
        match &self.adapted {
            Some(adapted) => adapted.layout.total(),
            None => self.layout.total(),
        }
    }

    /// The parts of the trained weights with weight decay: matrices; of adapters the pairs.
    #[must_use]
    pub fn decayed(&self) -> Vec<std::ops::Range<usize>> {
        match &self.adapted {
            Some(adapted) => vec![adapted.layout.pairs()],
            None => self.layout.decayed(),
        }
    }

    /// The layout of the adapters, where there are any.
    #[must_use]
    pub fn adapters(&self) -> Option<&AdapterLayout> {
        self.adapted.as_ref().map(|adapted| &*adapted.layout)
    }

    /// Trained weights to begin with, where there are adapters: pairs that add nothing, rows as they are frozen.
    ///
    /// # Errors
    /// When the frozen tensors cannot be read.
    pub fn begin_adapters(&self, seed: u64) -> Result<Vec<f32>> {
        let Some(adapted) = &self.adapted else {
            return Ok(Vec::new());
        };
        let mut flat = adapted.layout.initialize(seed);
        adapted.put_rows(&self.layout, &mut flat)?;
        Ok(flat)
    }

    /// The network without adapters that computes the same, and its flat weights.
    ///
    /// # Errors
    /// When the frozen tensors cannot be read.
    pub fn merged(&self, flat: &[f32]) -> Result<(Self, Vec<f32>)> {
        let weights = match &self.adapted {
            Some(adapted) => adapted.merged(&self.layout, flat)?,
            None => flat.to_vec(),
        };
        let plain = Self {
            adapted: None,
            ..self.clone()
        };
        Ok((plain, weights))
    }

    /// Where the weights lie.
    #[must_use]
    pub fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    /// What the blocks share.
    #[must_use]
    pub fn context(&self) -> &Arc<BlockContext> {
        &self.context
    }

    /// Copies a flat vector of trained weights into tensors.
    ///
    /// # Errors
    /// When candle cannot make the tensors.
    ///
    /// # Panics
    /// When `flat` is shorter than what is trained.
    pub fn weights(&self, flat: &[f32]) -> Result<Weights> {
        let Some(adapted) = &self.adapted else {
            return Weights::of(&self.layout, flat);
        };
        let mut weights = adapted.base.clone();
        weights.adapters = Some(StepAdapters {
            layout: Arc::clone(&adapted.layout),
            values: Arc::new(flat[..adapted.layout.total()].to_vec()),
            dropout: None,
        });
        Ok(weights)
    }

    /// An empty sum of gradients.
    #[must_use]
    pub fn gradient_sum(&self) -> GradientSum {
        if let Some(adapted) = &self.adapted {
            return GradientSum::new(adapted.lengths());
        }
        let layout = &self.layout;
        let blocks = layout.blocks().iter();
        let tensors = self.context.layout.tensors().map(|range| range.len());
        let mut lengths = vec![
            layout.embedding().len(),
            layout.output().len(),
            layout.norm().len(),
        ];
        lengths.extend(blocks.flat_map(|_| tensors));
        GradientSum::new(lengths)
    }

    /// The parts of a sum in the order of the flat vector: together they are the gradient.
    pub fn gradient<'a>(&self, sum: &'a mut GradientSum) -> Vec<&'a [f32]> {
        if let Some(adapted) = &self.adapted {
            return adapted.gradient(sum.sums());
        }
        let tied = self.layout.shape().tie_embeddings;
        let mut tensors = sum.sums().into_iter();
        let (Some(embedding), Some(output), Some(norm)) =
            (tensors.next(), tensors.next(), tensors.next())
        else {
            return Vec::new();
        };
        if tied {
            simd::add(embedding, output);
        }
        let mut parts: Vec<&[f32]> = vec![embedding];
        parts.extend(tensors.map(|tensor| &*tensor));
        parts.push(norm);
        if !tied {
            parts.push(output);
        }
        parts
    }

    /// −log p of what the batch asks.
    ///
    /// # Errors
    /// When a token is outside the vocabulary or a sequence is longer than the shape allows.
    pub fn likelihoods(&self, weights: &Weights, batch: &Arc<PackedBatch>) -> Result<Likelihoods> {
        let x = self.embed(weights, batch)?;
        let x = self.stream(weights, batch, x, None)?;
        Ok(self.head(weights, batch, &x, None)?.1)
    }

    /// −log p of what the batch asks, and the gradient of `factor · Σ weightᵢ · nllᵢ` added to a sum, when it is the turn of
    /// `piece`.
    ///
    /// # Errors
    /// As [`Self::likelihoods`]; the sum is then lost.
    pub fn add_gradient(
        &self,
        weights: &Weights,
        batch: &Arc<PackedBatch>,
        factor: f64,
        sum: &Arc<GradientSum>,
        piece: usize,
    ) -> Result<Likelihoods> {
        let promise = Promise::new(sum);
        let share = Share::new(Arc::clone(sum), piece);
        let leaf = Var::from_tensor(&self.embed(weights, batch)?)?;
        let x = self.stream(weights, batch, leaf.as_tensor().clone(), Some(&share))?;
        let (nll, likelihoods) = self.head(weights, batch, &x, Some(&share))?;
        let coefficients = Tensor::new(batch.asked.weights.as_slice(), &Device::Cpu)?;
        let loss = ((nll * coefficients)?.sum_all()? * factor)?;
        let gradients = loss.backward()?;
        let hidden = self.layout.shape().hidden;
        if let Some(dx) = gradients.get(&leaf) {
            with_slice(dx, |dx| {
                share.add(EMBEDDING, |sum| {
                    for (token, dx) in batch.inputs.iter().zip(dx.chunks_exact(hidden)) {
                        // Of a frozen embedding only some rows are trained.
                        let row = match self.adapters() {
                            Some(layout) => layout.tokens.iter().position(|t| t == token),
                            None => Some(*token as usize),
                        };
                        if let Some(row) = row {
                            simd::add(&mut sum[row * hidden..(row + 1) * hidden], dx);
                        }
                    }
                });
                Ok(())
            })?;
        }
        promise.whole();
        Ok(likelihoods)
    }

    /// The hidden states of some rows of a batch behind the last norm, rows x hidden: what the output matrix would see.
    ///
    /// # Errors
    /// As [`Self::likelihoods`].
    ///
    /// # Panics
    /// When a row is not one of the batch.
    pub fn hidden(
        &self,
        weights: &Weights,
        batch: &Arc<PackedBatch>,
        rows: &[u32],
    ) -> Result<Vec<f32>> {
        let x = self.stream(weights, batch, self.embed(weights, batch)?, None)?;
        let width = self.layout.shape().hidden;
        let mut gathered = Vec::with_capacity(rows.len() * width);
        with_slice(&x, |x| {
            for row in rows {
                let start = *row as usize * width;
                gathered.extend_from_slice(&x[start..start + width]);
            }
            Ok(())
        })?;
        let mut normed = vec![0.0; gathered.len()];
        let mut inverse_rms = vec![0.0; rows.len()];
        let eps = self.layout.shape().rms_norm_eps as f32;
        with_slice(&weights.norm, |weight| {
            norm::forward(&gathered, weight, eps, &mut normed, &mut inverse_rms);
            Ok(())
        })?;
        Ok(normed)
    }

    /// The rows of the embedding that the batch's tokens name.
    fn embed(&self, weights: &Weights, batch: &PackedBatch) -> Result<Tensor> {
        let inputs = Tensor::new(batch.inputs.as_slice(), &Device::Cpu)?;
        let x = weights.embedding.index_select(&inputs, 0)?;
        let Some(adapters) = &weights.adapters else {
            return Ok(x);
        };
        let mut values = to_vec(&x)?;
        let hidden = self.layout.shape().hidden;
        for (token, to) in batch.inputs.iter().zip(values.chunks_exact_mut(hidden)) {
            if let Some((_, row)) = adapters.input_rows().find(|(id, _)| id == token) {
                to.copy_from_slice(row);
            }
        }
        Ok(Tensor::from_vec(values, x.shape(), &Device::Cpu)?)
    }

    /// The residual stream behind the last block.
    fn stream(
        &self,
        weights: &Weights,
        batch: &Arc<PackedBatch>,
        mut x: Tensor,
        share: Option<&Share>,
    ) -> Result<Tensor> {
        if let Some(sequence) = batch
            .sequences
            .iter()
            .find(|sequence| sequence.len() > self.context.rope.positions())
        {
            return Err(candle_core::Error::Msg(format!(
                "a sequence of {} tokens does not fit {} positions",
                sequence.len(),
                self.context.rope.positions()
            ))
            .into());
        }
        let tensors = if weights.adapters.is_some() {
            adapted::TENSORS
        } else {
            BlockLayout::TENSORS
        };
        for (index, block) in weights.blocks.iter().enumerate() {
            let piece = share.map(Share::piece);
            let adapters = weights.adapters.as_ref();
            let adapter = adapters.map(|adapters| adapters.block(index, piece));
            let share = share.map(|share| BlockShare {
                share: share.clone(),
                first: BLOCKS + tensors * index,
            });
            let op = Block::new(Arc::clone(&self.context), Arc::clone(batch), share)
                .with_adapter(adapter);
            x = x.apply_op2(block, op)?;
        }
        Ok(x)
    }

    /// −log p of what the batch asks, as a tensor with its history and as numbers.
    fn head(
        &self,
        weights: &Weights,
        batch: &Arc<PackedBatch>,
        x: &Tensor,
        share: Option<&Share>,
    ) -> Result<(Tensor, Likelihoods)> {
        let share = share.map(|share| HeadShare {
            share: share.clone(),
            norm: NORM,
            output: OUTPUT,
        });
        let head = LikelihoodHead::new(Arc::clone(&self.context), Arc::clone(batch), share)
            .with_adapters(weights.adapters.clone());
        let greedy = head.greedy();
        let nll = x.apply_op3(&weights.norm, weights.output(), head)?;
        let greedy = std::mem::take(&mut *greedy.lock().unwrap_or_else(PoisonError::into_inner));
        let likelihoods = Likelihoods {
            nll: nll.to_vec1()?,
            greedy,
        };
        Ok((nll, likelihoods))
    }
}

/// Copies a tensor's elements out (f32, CPU).
///
/// # Errors
/// When it is neither.
pub fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(with_slice(tensor, |values| Ok(values.to_vec()))?)
}
