//! One decoder block as a candle operation: norm, attention, norm, SwiGLU, with both residual connections.
//!
//! One operation per block instead of a dozen keeps the activations in the thread's cache and leaves candle's autograd
//! with nothing to allocate between them. The forward pass keeps what its gradient needs.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::packed::PackedBatch;
use super::parameters::BlockLayout;
use super::shape::ModelShape;
use super::sum::Share;
use crate::kernels::attention;
use crate::kernels::matrix::{Matrix, MatrixMut, add_product, product};
use crate::kernels::pool::{Buffer, Pool};
use crate::kernels::rope::RopeTable;
use crate::kernels::{heads, norm, simd, swiglu};
use crate::lora::group::BlockAdapter;
use crate::lora::layout as groups;

/// What every block of a network shares.
#[derive(Debug)]
pub struct BlockContext {
    /// Sizes.
    pub shape: ModelShape,
    /// Parts of a block's weights.
    pub layout: BlockLayout,
    /// Rotary embedding.
    pub rope: RopeTable,
    /// Scratch memory.
    pub pool: Pool,
    /// Activations are not kept for the gradient but computed again.
    pub recompute: bool,
}

impl BlockContext {
    /// The context of a network.
    #[must_use]
    pub fn new(shape: &ModelShape) -> Self {
        let heads = shape.attention();
        Self {
            shape: shape.clone(),
            layout: BlockLayout::new(shape),
            rope: RopeTable::new(heads.dim, shape.rope_theta, shape.max_positions),
            pool: Pool::default(),
            recompute: false,
        }
    }
}

/// The operation. Its arguments are the residual stream (tokens x hidden) and the block's weights (flat, see
/// [`BlockLayout`]); its result is the new residual stream.
///
/// Its backward pass returns the gradient of the stream and adds that of the weights to the batch's sum: as tensors, candle would
/// make them anew for every piece and add them afterwards.
pub struct Block {
    context: Arc<BlockContext>,
    batch: Arc<PackedBatch>,
    /// Where the weights' gradient goes, when a backward pass will follow.
    gradient: Option<BlockShare>,
    /// Adapters; the block's own weights are then frozen, and the sum's tensors are those of the groups.
    adapter: Option<BlockAdapter>,
    kept: Mutex<Option<Kept>>,
}

/// Where the gradient of a block's weights goes.
#[derive(Debug, Clone)]
pub struct BlockShare {
    /// The piece's share.
    pub share: Share,
    /// The number of the block's first tensor ([`BlockLayout::tensors`]) in the sum.
    pub first: usize,
}

impl BlockShare {
    pub(super) fn add(&self, tensor: usize, work: impl FnOnce(&mut [f32])) {
        self.share.add(self.first + tensor, work);
    }

    fn add_product(
        &self,
        tensor: usize,
        shape: (usize, usize),
        left: Matrix<'_>,
        right: Matrix<'_>,
    ) {
        self.add(tensor, |sum| {
            add_product(MatrixMut::new(sum, shape.0, shape.1), 1.0, left, right);
        });
    }
}

/// Activations that the gradient needs.
struct Kept {
    inverse_rms1: Buffer,
    normed1: Buffer,
    qkv: Buffer,
    heads: Option<heads::Kept>,
    probabilities: Buffer,
    attended: Buffer,
    middle: Buffer,
    inverse_rms2: Buffer,
    normed2: Buffer,
    gate_up: Buffer,
    activated: Buffer,
    /// What lies inside the pairs of every group.
    low: [Option<Buffer>; groups::GROUPS],
}

impl Block {
    /// The operation for one batch. `gradient` says where the weights' gradient goes, when a backward pass will follow.
    #[must_use]
    pub fn new(
        context: Arc<BlockContext>,
        batch: Arc<PackedBatch>,
        gradient: Option<BlockShare>,
    ) -> Self {
        Self {
            context,
            batch,
            gradient,
            adapter: None,
            kept: Mutex::new(None),
        }
    }

    /// The operation with adapters beside frozen weights.
    #[must_use]
    pub fn with_adapter(mut self, adapter: Option<BlockAdapter>) -> Self {
        self.adapter = adapter;
        self
    }

    /// Adds what a group's pairs make of `x` to `out`; returns what lies inside the pairs.
    fn adapt(&self, group: usize, x: &[f32], out: &mut [f32]) -> Option<Buffer> {
        let adapter = self.adapter.as_ref()?;
        Some(adapter.add(group, x, out, &self.context.pool))
    }

    /// Adds the gradient of a group's pairs to the sum, where there are any; else `whole` adds that of the matrix itself.
    fn matrix_gradient(
        &self,
        group: usize,
        x: &[f32],
        between: Option<&Buffer>,
        dout: &[f32],
        sum: &BlockShare,
        whole: impl FnOnce(),
    ) -> Option<Buffer> {
        let (Some(adapter), Some(between)) = (&self.adapter, between) else {
            whole();
            return None;
        };
        let pool = &self.context.pool;
        Some(adapter.gradient(group, x, between, dout, pool, |add| {
            sum.add(group, add);
        }))
    }

    /// Adds to the gradient of a group's input what comes through its pairs.
    fn input_gradient(&self, group: usize, dbetween: Option<&Buffer>, dx: &mut [f32]) {
        if let (Some(adapter), Some(dbetween)) = (&self.adapter, dbetween) {
            adapter.add_input_gradient(group, dbetween, dx, &self.context.pool);
        }
    }

    /// Adds the gradient of a norm to the sum, unless it is frozen.
    fn norm_gradient(&self, tensor: usize, dweight: &[f32], sum: &BlockShare) {
        if self.adapter.is_none() {
            sum.add(tensor, |sum| simd::add(sum, dweight));
        }
    }

    fn forward(&self, x: &[f32], weights: &[f32]) -> (Vec<f32>, Kept) {
        let BlockContext {
            shape,
            layout,
            pool,
            ..
        } = &*self.context;
        let (n, h, f) = (self.batch.len(), shape.hidden, shape.ffn);
        let heads = shape.attention();
        let (row, out_row) = (heads.row(), heads.out_row());
        let eps = shape.rms_norm_eps as f32;

        let mut inverse_rms1 = pool.take(n);
        let mut normed1 = pool.take(n * h);
        norm::forward(
            x,
            &weights[layout.norm1.clone()],
            eps,
            &mut normed1,
            &mut inverse_rms1,
        );
        let mut qkv = pool.take(n * row);
        product(
            MatrixMut::new(&mut qkv, n, row),
            1.0,
            Matrix::new(&normed1, n, h),
            Matrix::new(&weights[layout.qkv.clone()], row, h).t(),
        );
        let low_qkv = self.adapt(groups::QKV, &normed1, &mut qkv);
        let positions = &self.batch.positions;
        let kept_heads = self.context.finish_projection(weights, &mut qkv, positions);
        let mut probabilities = pool.take(heads.probabilities(&self.batch.sequences));
        let mut attended = pool.take(n * out_row);
        attention::forward(
            heads,
            &self.batch.sequences,
            &qkv,
            &mut probabilities,
            &mut attended,
            pool,
        );
        let mut middle = pool.take(n * h);
        middle.copy_from_slice(x);
        add_product(
            MatrixMut::new(&mut middle, n, h),
            1.0,
            Matrix::new(&attended, n, out_row),
            Matrix::new(&weights[layout.out.clone()], h, out_row).t(),
        );
        let low_out = self.adapt(groups::OUT, &attended, &mut middle);

        let mut inverse_rms2 = pool.take(n);
        let mut normed2 = pool.take(n * h);
        norm::forward(
            &middle,
            &weights[layout.norm2.clone()],
            eps,
            &mut normed2,
            &mut inverse_rms2,
        );
        let mut gate_up = pool.take(n * 2 * f);
        product(
            MatrixMut::new(&mut gate_up, n, 2 * f),
            1.0,
            Matrix::new(&normed2, n, h),
            Matrix::new(&weights[layout.gate_up.clone()], 2 * f, h).t(),
        );
        let low_gate_up = self.adapt(groups::GATE_UP, &normed2, &mut gate_up);
        let mut activated = pool.take(n * f);
        swiglu::forward(&gate_up, f, &mut activated);
        let mut out = middle.to_vec();
        add_product(
            MatrixMut::new(&mut out, n, h),
            1.0,
            Matrix::new(&activated, n, f),
            Matrix::new(&weights[layout.down.clone()], h, f).t(),
        );
        let low_down = self.adapt(groups::DOWN, &activated, &mut out);
        let kept = Kept {
            inverse_rms1,
            normed1,
            qkv,
            heads: kept_heads,
            probabilities,
            attended,
            middle,
            inverse_rms2,
            normed2,
            gate_up,
            activated,
            low: [low_qkv, low_out, low_gate_up, low_down],
        };
        (out, kept)
    }

    /// Gradient of `x`, given that of the result; that of the weights goes to `sum`.
    fn backward(
        &self,
        x: &[f32],
        weights: &[f32],
        kept: Kept,
        dout: &[f32],
        sum: &BlockShare,
    ) -> Vec<f32> {
        // The residual connections pass the gradient on unchanged; the branches add theirs.
        let mut dx = dout.to_vec();
        let Kept {
            inverse_rms1,
            normed1,
            qkv,
            heads,
            probabilities,
            attended,
            middle,
            inverse_rms2,
            normed2,
            gate_up,
            activated,
            low: [low_qkv, low_out, low_gate_up, low_down],
        } = kept;
        let feed_forward = FeedForward {
            middle,
            inverse_rms2,
            normed2,
            gate_up,
            activated,
            low_gate_up,
            low_down,
        };
        self.feed_forward_backward(weights, feed_forward, dout, &mut dx, sum);
        let attention = Attention {
            inverse_rms1,
            normed1,
            qkv,
            heads,
            probabilities,
            attended,
            low_qkv,
            low_out,
        };
        self.attention_backward(x, weights, attention, &mut dx, sum);
        dx
    }

    fn feed_forward_backward(
        &self,
        weights: &[f32],
        kept: FeedForward,
        dout: &[f32],
        dx: &mut [f32],
        sum: &BlockShare,
    ) {
        let BlockContext {
            shape,
            layout,
            pool,
            ..
        } = &*self.context;
        let (n, h, f) = (self.batch.len(), shape.hidden, shape.ffn);
        let activated = &kept.activated;
        let low = kept.low_down.as_ref();
        let dlow = self.matrix_gradient(groups::DOWN, activated, low, dout, sum, || {
            let (dout, x) = (Matrix::new(dout, n, h), Matrix::new(activated, n, f));
            sum.add_product(BlockLayout::DOWN, (h, f), dout.t(), x);
        });
        let mut dactivated = kept.activated;
        product(
            MatrixMut::new(&mut dactivated, n, f),
            1.0,
            Matrix::new(dout, n, h),
            Matrix::new(&weights[layout.down.clone()], h, f),
        );
        self.input_gradient(groups::DOWN, dlow.as_ref(), &mut dactivated);
        let mut dgate_up = kept.gate_up;
        swiglu::backward_in_place(&mut dgate_up, f, &dactivated);
        let low = kept.low_gate_up.as_ref();
        let normed = &kept.normed2;
        let dlow = self.matrix_gradient(groups::GATE_UP, normed, low, &dgate_up, sum, || {
            let (dout, x) = (Matrix::new(&dgate_up, n, 2 * f), Matrix::new(normed, n, h));
            sum.add_product(BlockLayout::GATE_UP, (2 * f, h), dout.t(), x);
        });
        let mut dnormed = pool.take(n * h);
        product(
            MatrixMut::new(&mut dnormed, n, h),
            1.0,
            Matrix::new(&dgate_up, n, 2 * f),
            Matrix::new(&weights[layout.gate_up.clone()], 2 * f, h),
        );
        self.input_gradient(groups::GATE_UP, dlow.as_ref(), &mut dnormed);
        let mut dweight = pool.zeros(h);
        norm::backward(
            &kept.middle,
            &weights[layout.norm2.clone()],
            &kept.inverse_rms2,
            &dnormed,
            dx,
            &mut dweight,
        );
        self.norm_gradient(BlockLayout::NORM2, &dweight, sum);
    }

    fn attention_backward(
        &self,
        x: &[f32],
        weights: &[f32],
        kept: Attention,
        dx: &mut [f32],
        sum: &BlockShare,
    ) {
        let BlockContext {
            shape,
            layout,
            pool,
            ..
        } = &*self.context;
        let (n, h) = (self.batch.len(), shape.hidden);
        let heads = shape.attention();
        let (row, out_row) = (heads.row(), heads.out_row());
        let low = kept.low_out.as_ref();
        let attended = &kept.attended;
        let dlow = self.matrix_gradient(groups::OUT, attended, low, dx, sum, || {
            let (dout, x) = (Matrix::new(dx, n, h), Matrix::new(attended, n, out_row));
            sum.add_product(BlockLayout::OUT, (h, out_row), dout.t(), x);
        });
        let mut dattended = kept.attended;
        product(
            MatrixMut::new(&mut dattended, n, out_row),
            1.0,
            Matrix::new(dx, n, h),
            Matrix::new(&weights[layout.out.clone()], h, out_row),
        );
        self.input_gradient(groups::OUT, dlow.as_ref(), &mut dattended);
        let mut dqkv = pool.zeros(n * row);
        attention::backward(
            heads,
            &self.batch.sequences,
            &kept.qkv,
            &kept.probabilities,
            &dattended,
            &mut dqkv,
            pool,
        );
        let positions = &self.batch.positions;
        let trained = self.adapter.is_none().then_some(sum);
        let kept_heads = kept.heads.as_ref();
        self.context
            .projection_backward(weights, kept_heads, &mut dqkv, positions, trained);
        let low = kept.low_qkv.as_ref();
        let normed = &kept.normed1;
        let dlow = self.matrix_gradient(groups::QKV, normed, low, &dqkv, sum, || {
            let (dout, x) = (Matrix::new(&dqkv, n, row), Matrix::new(normed, n, h));
            sum.add_product(BlockLayout::QKV, (row, h), dout.t(), x);
        });
        let mut dnormed = kept.normed1;
        product(
            MatrixMut::new(&mut dnormed, n, h),
            1.0,
            Matrix::new(&dqkv, n, row),
            Matrix::new(&weights[layout.qkv.clone()], row, h),
        );
        self.input_gradient(groups::QKV, dlow.as_ref(), &mut dnormed);
        let mut dweight = pool.zeros(h);
        norm::backward(
            x,
            &weights[layout.norm1.clone()],
            &kept.inverse_rms1,
            &dnormed,
            dx,
            &mut dweight,
        );
        self.norm_gradient(BlockLayout::NORM1, &dweight, sum);
    }
}

/// The feed-forward part of [`Kept`].
struct FeedForward {
    middle: Buffer,
    inverse_rms2: Buffer,
    normed2: Buffer,
    gate_up: Buffer,
    activated: Buffer,
    low_gate_up: Option<Buffer>,
    low_down: Option<Buffer>,
}

/// The attention part of [`Kept`].
struct Attention {
    inverse_rms1: Buffer,
    normed1: Buffer,
    qkv: Buffer,
    heads: Option<heads::Kept>,
    probabilities: Buffer,
    attended: Buffer,
    low_qkv: Option<Buffer>,
    low_out: Option<Buffer>,
}

impl CustomOp2 for Block {
    fn name(&self) -> &'static str {
        "decoder-block"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, weights) = (contiguous(s1, l1)?, contiguous(s2, l2)?);
        let (n, h) = l1.shape().dims2()?;
        if n != self.batch.len()
            || h != self.context.shape.hidden
            || weights.len() != self.context.layout.len()
        {
            bail!(
                "decoder-block: x is {n} x {h} with {} weights; the batch has {} tokens, the block {} x {}",
                weights.len(),
                self.batch.len(),
                self.context.shape.hidden,
                self.context.layout.len()
            );
        }
        let (out, kept) = self.forward(x, weights);
        if self.gradient.is_some() && !self.context.recompute {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        arg1: &Tensor,
        arg2: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(sum) = &self.gradient else {
            bail!("decoder-block: no gradient was asked for");
        };
        let dx = with_slice(arg1, |x| {
            with_slice(arg2, |weights| {
                let kept = match kept {
                    Some(kept) => kept,
                    None if self.context.recompute => self.forward(x, weights).1,
                    None => bail!("decoder-block: a second backward pass was made"),
                };
                with_slice(grad_res, |dout| {
                    Ok(self.backward(x, weights, kept, dout, sum))
                })
            })
        })?;
        let dx = Tensor::from_vec(dx, arg1.shape(), arg1.device())?;
        Ok((Some(dx), None))
    }
}

/// The elements of a contiguous f32 argument.
pub(super) fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let data = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&data[start..end]),
        None => bail!("a fused operation needs contiguous arguments, got {layout:?}"),
    }
}

/// Hands the elements of a contiguous f32 tensor on the CPU to `work`.
pub(crate) fn with_slice<T>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        candle_core::Storage::Cpu(storage) => work(contiguous(storage, layout)?),
        _ => bail!("a fused operation needs tensors on the CPU"),
    }
}
