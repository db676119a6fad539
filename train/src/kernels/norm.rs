//! RMSNorm: y = x / rms(x) · w, row by row, and its gradient.

use super::simd::{self, vectorized};

vectorized! {
    /// Normalizes every row of `x` (rows x width) into `out`; `inverse_rms` (rows) keeps 1 / rms(x) for the gradient.
    pub fn forward(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32], inverse_rms: &mut [f32]) {
        let width = weight.len();
        let rows = x.chunks_exact(width).zip(out.chunks_exact_mut(width));
        for ((row, out), inverse) in rows.zip(inverse_rms) {
            let r = 1.0 / (simd::dot(row, row) / width as f32 + eps).sqrt();
            *inverse = r;
            for ((o, v), w) in out.iter_mut().zip(row).zip(weight) {
                *o = v * r * w;
            }
        }
    }
}

vectorized! {
    /// Adds the gradient of `x` to `dx` and that of the weight to `dweight`, given `dy`, the gradient of the output.
    pub fn backward(
        x: &[f32],
        weight: &[f32],
        inverse_rms: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        dweight: &mut [f32],
    ) {
        let width = weight.len();
        let rows = x.chunks_exact(width).zip(dy.chunks_exact(width));
        for (((row, dy), dx), r) in rows.zip(dx.chunks_exact_mut(width)).zip(inverse_rms) {
            // dx = r (w dy) − x r³ <w dy, x> / width
            let sum = simd::dot3(weight, dy, row);
            let back = sum * r * r * r / width as f32;
            for i in 0..width {
                dx[i] += (weight[i] * dy[i]).mul_add(*r, -row[i] * back);
                dweight[i] = (dy[i] * row[i]).mul_add(*r, dweight[i]);
            }
        }
    }
}
