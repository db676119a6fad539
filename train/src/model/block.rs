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
use crate::kernels::{norm, simd, swiglu};

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
    fn add(&self, tensor: usize, work: impl FnOnce(&mut [f32])) {
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
    probabilities: Buffer,
    attended: Buffer,
    middle: Buffer,
    inverse_rms2: Buffer,
    normed2: Buffer,
    gate_up: Buffer,
    activated: Buffer,
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
            kept: Mutex::new(None),
        }
    }

    fn forward(&self, x: &[f32], weights: &[f32]) -> (Vec<f32>, Kept) {
        let BlockContext {
            shape,
            layout,
            rope,
            pool,
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
        let turned = heads.query + heads.key_value;
        rope.turn(&mut qkv, row, turned, &self.batch.positions, 1.0);
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
        let mut activated = pool.take(n * f);
        swiglu::forward(&gate_up, f, &mut activated);
        let mut out = middle.to_vec();
        add_product(
            MatrixMut::new(&mut out, n, h),
            1.0,
            Matrix::new(&activated, n, f),
            Matrix::new(&weights[layout.down.clone()], h, f).t(),
        );
        let kept = Kept {
            inverse_rms1,
            normed1,
            qkv,
            probabilities,
            attended,
            middle,
            inverse_rms2,
            normed2,
            gate_up,
            activated,
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
            probabilities,
            attended,
            middle,
            inverse_rms2,
            normed2,
            gate_up,
            activated,
        } = kept;
        let feed_forward = FeedForward {
            middle,
            inverse_rms2,
            normed2,
            gate_up,
            activated,
        };
        self.feed_forward_backward(weights, feed_forward, dout, &mut dx, sum);
        let attention = Attention {
            inverse_rms1,
            normed1,
            qkv,
            probabilities,
            attended,
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
        let dout = Matrix::new(dout, n, h);
        sum.add_product(
            BlockLayout::DOWN,
            (h, f),
            dout.t(),
            Matrix::new(&kept.activated, n, f),
        );
        let mut dactivated = kept.activated;
        product(
            MatrixMut::new(&mut dactivated, n, f),
            1.0,
            dout,
            Matrix::new(&weights[layout.down.clone()], h, f),
        );
        let mut dgate_up = kept.gate_up;
        swiglu::backward_in_place(&mut dgate_up, f, &dactivated);
        let dgate_up = Matrix::new(&dgate_up, n, 2 * f);
        sum.add_product(
            BlockLayout::GATE_UP,
            (2 * f, h),
            dgate_up.t(),
            Matrix::new(&kept.normed2, n, h),
        );
        let mut dnormed = pool.take(n * h);
        product(
            MatrixMut::new(&mut dnormed, n, h),
            1.0,
            dgate_up,
            Matrix::new(&weights[layout.gate_up.clone()], 2 * f, h),
        );
        let mut dweight = pool.zeros(h);
        norm::backward(
            &kept.middle,
            &weights[layout.norm2.clone()],
            &kept.inverse_rms2,
            &dnormed,
            dx,
            &mut dweight,
        );
        sum.add(BlockLayout::NORM2, |sum| simd::add(sum, &dweight));
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
            rope,
            pool,
        } = &*self.context;
        let (n, h) = (self.batch.len(), shape.hidden);
        let heads = shape.attention();
        let (row, out_row) = (heads.row(), heads.out_row());
        let dmiddle = Matrix::new(dx, n, h);
        sum.add_product(
            BlockLayout::OUT,
            (h, out_row),
            dmiddle.t(),
            Matrix::new(&kept.attended, n, out_row),
        );
        let mut dattended = kept.attended;
        product(
            MatrixMut::new(&mut dattended, n, out_row),
            1.0,
            dmiddle,
            Matrix::new(&weights[layout.out.clone()], h, out_row),
        );
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
        let turned = heads.query + heads.key_value;
        rope.turn(&mut dqkv, row, turned, &self.batch.positions, -1.0);
        let dqkv = Matrix::new(&dqkv, n, row);
        sum.add_product(
            BlockLayout::QKV,
            (row, h),
            dqkv.t(),
            Matrix::new(&kept.normed1, n, h),
        );
        let mut dnormed = kept.normed1;
        product(
            MatrixMut::new(&mut dnormed, n, h),
            1.0,
            dqkv,
            Matrix::new(&weights[layout.qkv.clone()], row, h),
        );
        let mut dweight = pool.zeros(h);
        norm::backward(
            x,
            &weights[layout.norm1.clone()],
            &kept.inverse_rms1,
            &dnormed,
            dx,
            &mut dweight,
        );
        sum.add(BlockLayout::NORM1, |sum| simd::add(sum, &dweight));
    }
}

/// The feed-forward part of [`Kept`].
struct FeedForward {
    middle: Buffer,
    inverse_rms2: Buffer,
    normed2: Buffer,
    gate_up: Buffer,
    activated: Buffer,
}

/// The attention part of [`Kept`].
struct Attention {
    inverse_rms1: Buffer,
    normed1: Buffer,
    qkv: Buffer,
    probabilities: Buffer,
    attended: Buffer,
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
        if self.gradient.is_some() {
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
        let (Some(kept), Some(sum)) = (kept, &self.gradient) else {
            bail!("decoder-block: no activations were kept, or a second backward pass was made");
        };
        let dx = with_slice(arg1, |x| {
            with_slice(arg2, |weights| {
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
