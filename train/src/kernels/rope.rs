//! Rotary position embedding in the Hugging Face convention: element i turns with element i + d/2.

use super::simd::vectorized;

/// Cosines and sines of every position, positions x d/2 each.
#[derive(Debug, Clone)]
pub struct RopeTable {
    half: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl RopeTable {
    /// The table for heads of `head_dim` elements (even) and positions below `positions`.
    #[must_use]
    pub fn new(head_dim: usize, theta: f64, positions: usize) -> Self {
        let half = head_dim / 2;
        let mut cos = Vec::with_capacity(positions * half);
        let mut sin = Vec::with_capacity(positions * half);
        for position in 0..positions {
            for i in 0..half {
                let frequency = theta.powf(-(2.0 * i as f64) / head_dim as f64);
                let angle = position as f64 * frequency;
                cos.push(angle.cos() as f32);
                sin.push(angle.sin() as f32);
            }
        }
        Self { half, cos, sin }
    }

    /// Positions in the table.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.cos.len() / self.half.max(1)
    }

    /// Cosines and sines (d/2 each) of one position.
    #[must_use]
    pub fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }

    /// Turns the first `heads` heads of every row (rows x `row_stride`); row r has the position `positions[r]`.
    /// `direction` is 1 for the forward pass and −1 for the gradient, which turns back.
    pub fn turn(
        &self,
        rows: &mut [f32],
        row_stride: usize,
        heads: usize,
        positions: &[u32],
        direction: f32,
    ) {
        for (row, position) in rows.chunks_exact_mut(row_stride).zip(positions) {
            let (cos, sin) = self.at(*position as usize);
            turn_heads(&mut row[..heads * 2 * self.half], cos, sin, direction);
        }
    }
}

vectorized! {
    /// Turns adjacent heads that share a position.
    fn turn_heads(heads: &mut [f32], cos: &[f32], sin: &[f32], direction: f32) {
        for head in heads.chunks_exact_mut(2 * cos.len()) {
            let (low, high) = head.split_at_mut(cos.len());
            for (((a, b), c), s) in low.iter_mut().zip(high).zip(cos).zip(sin) {
                let s = s * direction;
                let (x, y) = (*a, *b);
                *a = x * c - y * s;
                *b = y * c + x * s;
            }
        }
    }
}
