//! The search for a scale alone, with levels around zero (`make_qx_quants` in `ggml-quants.c`, its first kind of error).

use super::{Blocks, SMALLEST, extremes, nearest};

/// The best fit of each block: a weight is about `scale * (level - half)`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Centred<const LANES: usize> {
    /// Scales, of either sign.
    pub scales: [f32; LANES],
    factors: [f32; LANES],
    zero: [bool; LANES],
    half: i32,
}

impl<const LANES: usize> Centred<LANES> {
    /// The level of a weight of block `lane` in its best fit, from 0 to `2 * half - 1`.
    #[inline(always)]
    pub fn level(&self, lane: usize, weight: f32) -> u8 {
        if self.zero[lane] {
            return 0;
        }
        let number = nearest(self.factors[lane] * weight).clamp(-self.half, self.half - 1);
        (number + self.half) as u8
    }
}

/// Looks for the scale of every block. `importance` weighs the squared errors, weight by weight.
#[inline(always)]
pub(in super::super) fn centred<const N: usize, const LANES: usize>(
    blocks: &Blocks<N, LANES>,
    importance: &Blocks<N, LANES>,
    half: u8,
) -> Centred<LANES> {
    let extreme = extremes(blocks);
    let (middle, half) = (f32::from(half), i32::from(half));
    let mut weighed = *blocks;
    for (row, weigh) in weighed.iter_mut().zip(importance) {
        for lane in 0..LANES {
            row[lane] *= weigh[lane];
        }
    }
    let sums = |factor: &[f32; LANES]| {
        let (mut sum_lx, mut sum_l2) = ([0.0; LANES], [0.0; LANES]);
        for at in 0..N {
            for lane in 0..LANES {
                let number = nearest(factor[lane] * blocks[at][lane]).clamp(-half, half - 1);
                let number = number as f32;
                sum_lx[lane] += weighed[at][lane] * number;
                sum_l2[lane] += importance[at][lane] * number * number;
            }
        }
        (sum_lx, sum_l2)
    };

    let mut factors = extreme.map(|extreme| -middle / extreme);
    let (sum_lx, sum_l2) = sums(&factors);
    let mut scales: [f32; LANES] = std::array::from_fn(|lane| {
        let scale = sum_lx[lane] / sum_l2[lane];
        if sum_l2[lane] == 0.0 { 0.0 } else { scale }
    });
    let mut best: [f32; LANES] = std::array::from_fn(|lane| scales[lane] * sum_lx[lane]);
    for step in (-9_i8..=9).filter(|&step| step != 0) {
        let factor = extreme.map(|extreme| -(middle + 0.1 * f32::from(step)) / extreme);
        let (sum_lx, sum_l2) = sums(&factor);
        for lane in 0..LANES {
            let (lx, l2) = (sum_lx[lane], sum_l2[lane]);
            let better = (l2 > 0.0) & (lx * lx > best[lane] * l2);
            let scale = lx / l2;
            scales[lane] = if better { scale } else { scales[lane] };
            best[lane] = if better { scale * lx } else { best[lane] };
            factors[lane] = if better { factor[lane] } else { factors[lane] };
        }
    }
    let zero = extreme.map(|extreme| extreme.abs() < SMALLEST);
    for lane in 0..LANES {
        scales[lane] = if zero[lane] { 0.0 } else { scales[lane] };
    }
    Centred {
        scales,
        factors,
        zero,
        half,
    }
}
