//! SwiGLU: out = silu(gate) · up, and its gradient. A row of the input is `[gate | up]`.

use super::simd::{self, vectorized};

vectorized! {
    /// `gate_up` is rows x 2·width, `out` rows x width.
    pub fn forward(gate_up: &[f32], width: usize, out: &mut [f32]) {
        for (row, out) in gate_up
            .chunks_exact(2 * width)
            .zip(out.chunks_exact_mut(width))
        {
            let (gate, up) = row.split_at(width);
            for ((o, g), u) in out.iter_mut().zip(gate).zip(up) {
                *o = g * u / (1.0 + simd::exp(-g));
            }
        }
    }
}

vectorized! {
    /// Given `dout`, replaces `gate_up` by its gradient.
    pub fn backward_in_place(gate_up: &mut [f32], width: usize, dout: &[f32]) {
        for (row, dout) in gate_up
            .chunks_exact_mut(2 * width)
            .zip(dout.chunks_exact(width))
        {
            let (gate, up) = row.split_at_mut(width);
            for ((g, u), d) in gate.iter_mut().zip(up).zip(dout) {
                let sigmoid = 1.0 / (1.0 + simd::exp(-*g));
                let silu = *g * sigmoid;
                // silu'(g) = σ (1 + g (1 − σ))
                let slope = sigmoid * (1.0 + *g - silu);
                *g = d * *u * slope;
                *u = d * silu;
            }
        }
    }
}
