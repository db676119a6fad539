//! What a block does to queries, keys and values between their product and the attention: biases (Qwen2), a norm over every head of
//! queries and keys (Qwen3), and their turning. Training and inference do it here, once for all rows.

use super::block::{BlockContext, BlockShare};
use super::parameters::BlockLayout;
use crate::kernels::{heads, simd};

impl BlockContext {
    /// Turns what the product made into what the attention reads. `weights` are the block's.
    pub(super) fn finish_projection(
        &self,
        weights: &[f32],
        qkv: &mut [f32],
        positions: &[u32],
    ) -> Option<heads::Kept> {
        let (shape, layout) = (&self.shape, &self.layout);
        let sizes = shape.attention();
        if shape.architecture.has_biases() {
            heads::add_bias(qkv, &weights[layout.bias.clone()]);
        }
        let kept = shape.architecture.has_head_norms().then(|| {
            let weights = &weights[layout.head_norms.clone()];
            heads::normalize(sizes, weights, shape.rms_norm_eps as f32, qkv, &self.pool)
        });
        self.rope
            .turn(qkv, sizes.row(), sizes.turned(), positions, 1.0);
        kept
    }

    /// Replaces the gradient of what the attention read by that of what the product made. That of biases and norms goes to `sum`,
    /// where they are not frozen.
    pub(super) fn projection_backward(
        &self,
        weights: &[f32],
        kept: Option<&heads::Kept>,
        dqkv: &mut [f32],
        positions: &[u32],
        sum: Option<&BlockShare>,
    ) {
        let (shape, layout) = (&self.shape, &self.layout);
        let sizes = shape.attention();
        self.rope
            .turn(dqkv, sizes.row(), sizes.turned(), positions, -1.0);
        if let Some(kept) = kept {
            let weights = &weights[layout.head_norms.clone()];
            let mut dweights = self.pool.zeros(weights.len());
            heads::normalize_backward(sizes, weights, kept, dqkv, &mut dweights, &self.pool);
            if let Some(sum) = sum {
                sum.add(BlockLayout::HEAD_NORMS, |sum| simd::add(sum, &dweights));
            }
        }
        if let Some(sum) = sum.filter(|_| shape.architecture.has_biases()) {
            sum.add(BlockLayout::BIAS, |sum| heads::bias_backward(dqkv, sum));
        }
    }
}
