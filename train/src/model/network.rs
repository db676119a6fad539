//! The whole network: loss and gradient of a packed batch, or likelihoods only.

use std::sync::{Arc, PoisonError};

use candle_core::{Device, Tensor, Var};

use super::block::{Block, BlockContext, accumulate, with_slice};
use super::head::LikelihoodHead;
use super::packed::PackedBatch;
use super::parameters::ParameterLayout;
use crate::error::Result;

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

    /// Copies a flat vector of weights into leaf tensors.
    ///
    /// # Errors
    /// When candle cannot make the tensors.
    ///
    /// # Panics
    /// When `flat` is shorter than the layout's total.
    pub fn weights(&self, flat: &[f32]) -> Result<Weights> {
        let layout = &self.layout;
        let hidden = layout.shape().hidden;
        let leaf = |range: std::ops::Range<usize>, dims: &[usize]| -> Result<Tensor> {
            let data = flat[range].to_vec();
            let tensor = Tensor::from_vec(data, dims, &Device::Cpu)?;
            Ok(Var::from_tensor(&tensor)?.into_inner())
        };
        let matrix = [layout.vocab_size(), hidden];
        Ok(Weights {
            embedding: leaf(layout.embedding(), &matrix)?,
            blocks: layout
                .blocks()
                .iter()
                .map(|range| leaf(range.clone(), &[range.len()]))
                .collect::<Result<_>>()?,
            norm: leaf(layout.norm(), &[hidden])?,
            output: if layout.shape().tie_embeddings {
                None
            } else {
                Some(leaf(layout.output(), &matrix)?)
            },
        })
    }

    /// −log p of what the batch asks.
    ///
    /// # Errors
    /// When a token is outside the vocabulary or a sequence is longer than the shape allows.
    pub fn likelihoods(&self, weights: &Weights, batch: &Arc<PackedBatch>) -> Result<Likelihoods> {
        let (nll, greedy) = self.forward(weights, batch, false)?;
        Ok(Likelihoods {
            nll: nll.to_vec1()?,
            greedy,
        })
    }

    /// −log p of what the batch asks, and the gradient of `factor · Σ weightᵢ · nllᵢ` added to `gradient` (flat).
    ///
    /// # Errors
    /// As [`Self::likelihoods`].
    pub fn add_gradient(
        &self,
        weights: &Weights,
        batch: &Arc<PackedBatch>,
        factor: f64,
        gradient: &mut [f32],
    ) -> Result<Likelihoods> {
        let (nll, greedy) = self.forward(weights, batch, true)?;
        let likelihoods = Likelihoods {
            nll: nll.to_vec1()?,
            greedy,
        };
        let coefficients = Tensor::new(batch.asked.weights.as_slice(), &Device::Cpu)?;
        let loss = ((nll * coefficients)?.sum_all()? * factor)?;
        let grads = loss.backward()?;
        let layout = &self.layout;
        accumulate(
            &mut gradient[layout.embedding()],
            grads.get(&weights.embedding),
        )?;
        for (range, block) in layout.blocks().iter().zip(&weights.blocks) {
            accumulate(&mut gradient[range.clone()], grads.get(block))?;
        }
        accumulate(&mut gradient[layout.norm()], grads.get(&weights.norm))?;
        if let Some(output) = &weights.output {
            accumulate(&mut gradient[layout.output()], grads.get(output))?;
        }
        Ok(likelihoods)
    }

    fn forward(
        &self,
        weights: &Weights,
        batch: &Arc<PackedBatch>,
        keep: bool,
    ) -> Result<(Tensor, Vec<bool>)> {
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
        let inputs = Tensor::new(batch.inputs.as_slice(), &Device::Cpu)?;
        let mut x = weights.embedding.index_select(&inputs, 0)?;
        for block in &weights.blocks {
            let op = Block::new(Arc::clone(&self.context), Arc::clone(batch), keep);
            x = x.apply_op2(block, op)?;
        }
        let head = LikelihoodHead::new(Arc::clone(&self.context), Arc::clone(batch), keep);
        let greedy = head.greedy();
        let output = weights.output.as_ref().unwrap_or(&weights.embedding);
        let nll = x.apply_op3(&weights.norm, output, head)?;
        let greedy = std::mem::take(&mut *greedy.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((nll, greedy))
    }
}

/// Copies a tensor's elements out (f32, CPU).
///
/// # Errors
/// When it is neither.
pub fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(with_slice(tensor, |values| Ok(values.to_vec()))?)
}
