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

/// Tensors of a network's [`GradientSum`]; behind them those of the blocks, six each. The embedding and the output matrix have
/// one each, also where they are the same weights: a tensor has one turn for every piece.
const EMBEDDING: usize = 0;
const OUTPUT: usize = 1;
const NORM: usize = 2;
const BLOCKS: usize = 3;

/// Sizes, places of the weights and scratch memory of a network; the weights themselves are [`Weights`].
#[derive(Debug, Clone)]
pub struct Network {
    layout: Arc<ParameterLayout>,
    context: Arc<BlockContext>,
}

/// The weights of one optimizer step as candle tensors. They can be read from several threads.
#[derive(Debug)]
pub struct Weights {
    embedding: Tensor,
    blocks: Vec<Tensor>,
    norm: Tensor,
    /// The output matrix, when it is not the embedding.
    output: Option<Tensor>,
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
        }
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

    /// Copies a flat vector of weights into tensors.
    ///
    /// # Errors
    /// When candle cannot make the tensors.
    ///
    /// # Panics
    /// When `flat` is shorter than the layout's total.
    pub fn weights(&self, flat: &[f32]) -> Result<Weights> {
        let layout = &self.layout;
        let hidden = layout.shape().hidden;
        let copy = |range: std::ops::Range<usize>, dims: &[usize]| {
            Tensor::from_slice(&flat[range], dims, &Device::Cpu)
        };
        let matrix = [layout.vocab_size(), hidden];
        let blocks = layout.blocks().iter();
        Ok(Weights {
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
        })
    }

    /// An empty sum of gradients.
    #[must_use]
    pub fn gradient_sum(&self) -> GradientSum {
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
                        let start = *token as usize * hidden;
                        simd::add(&mut sum[start..start + hidden], dx);
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
        Ok(weights.embedding.index_select(&inputs, 0)?)
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
        let tensors = BlockLayout::DOWN + 1;
        for (index, block) in weights.blocks.iter().enumerate() {
            let share = share.map(|share| BlockShare {
                share: share.clone(),
                first: BLOCKS + tensors * index,
            });
            let op = Block::new(Arc::clone(&self.context), Arc::clone(batch), share);
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
        let head = LikelihoodHead::new(Arc::clone(&self.context), Arc::clone(batch), share);
        let greedy = head.greedy();
        let output = weights.output.as_ref().unwrap_or(&weights.embedding);
        let nll = x.apply_op3(&weights.norm, output, head)?;
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
