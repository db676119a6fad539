//! The end of the network as one candle operation: gather the asked rows, last norm, output matrix, −log p(target).

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::block::{BlockContext, contiguous, with_slice};
use super::packed::PackedBatch;
use super::sum::Share;
use crate::kernels::matrix::{Matrix, MatrixMut, add_product, product};
use crate::kernels::pool::Buffer;
use crate::kernels::{norm, simd, softmax};
use crate::lora::adapted::StepAdapters;

/// The operation. Its arguments are the residual stream (tokens x hidden), the norm (hidden) and the output matrix
/// (vocabulary x hidden); its result is −log p(target) of every asked row. As with the block, the gradient of the weights goes to
/// the batch's sum.
pub struct LikelihoodHead {
    context: Arc<BlockContext>,
    batch: Arc<PackedBatch>,
    /// Where the weights' gradient goes, when a backward pass will follow.
    gradient: Option<HeadShare>,
    /// Trained rows instead of those of the output matrix, when that is frozen.
    adapters: Option<StepAdapters>,
    kept: Mutex<Option<Kept>>,
    greedy: Arc<Mutex<Vec<bool>>>,
}

/// Where the gradient of the head's weights goes.
#[derive(Debug, Clone)]
pub struct HeadShare {
    /// The piece's share.
    pub share: Share,
    /// The number of the norm in the sum.
    pub norm: usize,
    /// The number of the output matrix in the sum.
    pub output: usize,
}

struct Kept {
    gathered: Buffer,
    inverse_rms: Buffer,
    normed: Buffer,
    probabilities: Buffer,
}

impl LikelihoodHead {
    /// The operation for one batch. `gradient` says where the weights' gradient goes, when a backward pass will follow.
    #[must_use]
    pub fn new(
        context: Arc<BlockContext>,
        batch: Arc<PackedBatch>,
        gradient: Option<HeadShare>,
    ) -> Self {
        Self {
            context,
            batch,
            gradient,
            adapters: None,
            kept: Mutex::new(None),
            greedy: Arc::default(),
        }
    }

    /// The operation over a frozen output matrix, some of whose rows are trained: norm and matrix then get no gradient, and the
    /// sum's tensor for the output matrix is that of the rows.
    #[must_use]
    pub fn with_adapters(mut self, adapters: Option<StepAdapters>) -> Self {
        self.adapters = adapters;
        self
    }

    /// Where the forward pass leaves, for every asked row, whether the target was the most likely token.
    #[must_use]
    pub fn greedy(&self) -> Arc<Mutex<Vec<bool>>> {
        Arc::clone(&self.greedy)
    }

    fn forward(&self, x: &[f32], weight: &[f32], output: &[f32]) -> (Vec<f32>, Vec<bool>, Kept) {
        let pool = &self.context.pool;
        let h = weight.len();
        let vocabulary = output.len() / h;
        let asked = &self.batch.asked;
        let m = asked.rows.len();
        let mut gathered = pool.take(m * h);
        for (to, row) in gathered.chunks_exact_mut(h).zip(&asked.rows) {
            let row = *row as usize;
            to.copy_from_slice(&x[row * h..(row + 1) * h]);
        }
        let mut inverse_rms = pool.take(m);
        let mut normed = pool.take(m * h);
        let eps = self.context.shape.rms_norm_eps as f32;
        norm::forward(&gathered, weight, eps, &mut normed, &mut inverse_rms);
        let mut probabilities = pool.take(m * vocabulary);
        product(
            MatrixMut::new(&mut probabilities, m, vocabulary),
            1.0,
            Matrix::new(&normed, m, h),
            Matrix::new(output, vocabulary, h).t(),
        );
        if let Some(adapters) = &self.adapters {
            let tokens = &adapters.layout.tokens;
            let mut logits = pool.take(m * tokens.len());
            product(
                MatrixMut::new(&mut logits, m, tokens.len()),
                1.0,
                Matrix::new(&normed, m, h),
                Matrix::new(adapters.output_rows(), tokens.len(), h).t(),
            );
            let rows = probabilities.chunks_exact_mut(vocabulary);
            for (row, logits) in rows.zip(logits.chunks_exact(tokens.len())) {
                for (token, logit) in tokens.iter().zip(logits) {
                    row[*token as usize] = *logit;
                }
            }
        }
        let mut nll = vec![0.0; m];
        let mut greedy = vec![false; m];
        softmax::likelihood(
            &mut probabilities,
            vocabulary,
            &asked.targets,
            &mut nll,
            &mut greedy,
        );
        let kept = Kept {
            gathered,
            inverse_rms,
            normed,
            probabilities,
        };
        (nll, greedy, kept)
    }

    /// Gradient of x, given that of the result; that of the weights goes to `sum`.
    fn backward(
        &self,
        tokens: usize,
        weight: &[f32],
        output: &[f32],
        kept: Kept,
        dnll: &[f32],
        sum: &HeadShare,
    ) -> Vec<f32> {
        let h = weight.len();
        let vocabulary = output.len() / h;
        let asked = &self.batch.asked;
        let m = asked.rows.len();
        let mut dlogits = kept.probabilities;
        softmax::likelihood_backward(&mut dlogits, vocabulary, &asked.targets, dnll);
        // Where rows are trained, their columns are taken out: the frozen rows in their places have no part in the result.
        let trained = self.adapters.as_ref().map(|adapters| {
            let columns = self.take_columns(&mut dlogits, vocabulary, adapters);
            (adapters, columns)
        });
        let dlogits = Matrix::new(&dlogits, m, vocabulary);
        sum.share.add(sum.output, |sum| {
            let (rows, left) = match &trained {
                Some((adapters, columns)) => {
                    let rows = adapters.layout.tokens.len();
                    (rows, Matrix::new(columns, m, rows))
                }
                None => (vocabulary, dlogits),
            };
            add_product(
                MatrixMut::new(sum, rows, h),
                1.0,
                left.t(),
                Matrix::new(&kept.normed, m, h),
            );
        });
        let mut dnormed = kept.normed;
        product(
            MatrixMut::new(&mut dnormed, m, h),
            1.0,
            dlogits,
            Matrix::new(output, vocabulary, h),
        );
        if let Some((adapters, columns)) = &trained {
            let rows = adapters.layout.tokens.len();
            add_product(
                MatrixMut::new(&mut dnormed, m, h),
                1.0,
                Matrix::new(columns, m, rows),
                Matrix::new(adapters.output_rows(), rows, h),
            );
        }
        let mut dgathered = self.context.pool.zeros(m * h);
        let mut dweight = self.context.pool.zeros(h);
        norm::backward(
            &kept.gathered,
            weight,
            &kept.inverse_rms,
            &dnormed,
            &mut dgathered,
            &mut dweight,
        );
        if trained.is_none() {
            sum.share.add(sum.norm, |sum| simd::add(sum, &dweight));
        }
        let mut dx = vec![0.0; tokens * h];
        for (from, row) in dgathered.chunks_exact(h).zip(&asked.rows) {
            let row = *row as usize;
            // Every row is asked once, so this needs no sum.
            dx[row * h..(row + 1) * h].copy_from_slice(from);
        }
        dx
    }

    /// Moves the columns of the trained tokens out of `rows`, which get zeros there.
    fn take_columns(&self, rows: &mut [f32], vocabulary: usize, adapters: &StepAdapters) -> Buffer {
        let tokens = &adapters.layout.tokens;
        let count = rows.len() / vocabulary;
        let mut columns = self.context.pool.take(count * tokens.len());
        let rows = rows.chunks_exact_mut(vocabulary);
        for (row, columns) in rows.zip(columns.chunks_exact_mut(tokens.len())) {
            for (token, column) in tokens.iter().zip(columns) {
                *column = std::mem::take(&mut row[*token as usize]);
            }
        }
        columns
    }
}

impl CustomOp3 for LikelihoodHead {
    fn name(&self) -> &'static str {
        "likelihood-head"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, h) = l1.shape().dims2()?;
        let (vocabulary, width) = l3.shape().dims2()?;
        let x = contiguous(s1, l1)?;
        let (weight, output) = (contiguous(s2, l2)?, contiguous(s3, l3)?);
        if n != self.batch.len() || width != h || weight.len() != h {
            bail!(
                "likelihood-head: x is {n} x {h} (the batch has {} tokens), the norm {}, the output {vocabulary} x {width}",
                self.batch.len(),
                weight.len()
            );
        }
        if let Some(target) = self
            .batch
            .asked
            .targets
            .iter()
            .find(|target| **target as usize >= vocabulary)
        {
            bail!("likelihood-head: target {target} is outside a vocabulary of {vocabulary}");
        }
        let (nll, greedy, kept) = self.forward(x, weight, output);
        *self.greedy.lock().unwrap_or_else(PoisonError::into_inner) = greedy;
        if self.gradient.is_some() {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
        let shape = Shape::from(nll.len());
        Ok((CpuStorage::F32(nll), shape))
    }

    fn bwd(
        &self,
        arg1: &Tensor,
        arg2: &Tensor,
        arg3: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (Some(kept), Some(sum)) = (kept, &self.gradient) else {
            bail!("likelihood-head: no activations were kept, or a second backward pass was made");
        };
        let tokens = arg1.dims2()?.0;
        let dx = with_slice(arg2, |weight| {
            with_slice(arg3, |output| {
                with_slice(grad_res, |dnll| {
                    Ok(self.backward(tokens, weight, output, kept, dnll, sum))
                })
            })
        })?;
        let dx = Tensor::from_vec(dx, arg1.shape(), arg1.device())?;
        Ok((Some(dx), None, None))
    }
}
