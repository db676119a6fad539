//! The search for a scale and a minimum (`make_qkx2_quants` and `make_qkx3_quants` in `ggml-quants.c`).

use super::{Blocks, nearest};

/// What is tried: levels made with the factor `(first + step * t + most) / (max - min)` for `t` from 0 to `last`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Steps {
    /// Offset of the first factor.
    pub first: f32,
    /// From one factor to the next.
    pub step: f32,
    /// The last step.
    pub last: u8,
    /// Distances are absolute, not squared.
    pub absolute: bool,
    /// Products beyond the levels are cut before they are rounded, as in `make_qkx3_quants`; the older function cuts
    /// afterwards, which differs where rounding breaks down.
    pub cut_first: bool,
}

/// The best fit of each block: a weight is about `scale * level - minimum`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Affine<const LANES: usize> {
    /// Scales.
    pub scales: [f32; LANES],
    /// Minima, turned around: they are positive or zero.
    pub minima: [f32; LANES],
    /// How the levels of the best fit were made: `factor * (weight - origin)`.
    factors: [f32; LANES],
    origins: [f32; LANES],
    /// Whether products are cut before they are rounded, which holds for all fits but the first.
    cut_first: [bool; LANES],
    most: f32,
}

impl<const LANES: usize> Affine<LANES> {
    /// The level of a weight of block `lane` in its best fit.
    #[inline(always)]
    pub fn level(&self, lane: usize, weight: f32) -> u8 {
        let product = self.factors[lane] * (weight - self.origins[lane]);
        level(product, self.most, self.cut_first[lane]) as u8
    }
}

/// A whole number from 0 to `most`.
#[inline(always)]
fn level(product: f32, most: f32, cut_first: bool) -> i32 {
    if cut_first {
        let below = if product < most { product } else { most };
        nearest(if product > 0.0 { below } else { 0.0 })
    } else {
        nearest(product).clamp(0, most as i32)
    }
}

/// Looks for the scale and the minimum of every block. `importance` weighs the errors, weight by weight.
#[inline(always)]
pub(in super::super) fn affine<const N: usize, const LANES: usize>(
    blocks: &Blocks<N, LANES>,
    importance: &Blocks<N, LANES>,
    most: u8,
    steps: Steps,
) -> Affine<LANES> {
    let most = f32::from(most);
    let (mut min, mut max) = (blocks[0], blocks[0]);
    let mut sum_w = importance[0];
    let mut sum_x: [f32; LANES] = std::array::from_fn(|lane| sum_w[lane] * min[lane]);
    for (row, weigh) in blocks.iter().zip(importance).skip(1) {
        for lane in 0..LANES {
            let (x, w) = (row[lane], weigh[lane]);
            min[lane] = if x < min[lane] { x } else { min[lane] };
            max[lane] = if x > max[lane] { x } else { max[lane] };
            sum_w[lane] += w;
            sum_x[lane] += w * x;
        }
    }
    for lowest in &mut min {
        *lowest = if *lowest > 0.0 { 0.0 } else { *lowest };
    }
    let flat: [bool; LANES] = std::array::from_fn(|lane| max[lane] <= min[lane]);

    let mut factors: [f32; LANES] = std::array::from_fn(|lane| most / (max[lane] - min[lane]));
    let mut origins = min;
    let mut scales = factors.map(|factor| 1.0 / factor);
    let mut cut_first = [false; LANES];
    let mut best = [0.0; LANES];
    for (row, weigh) in blocks.iter().zip(importance) {
        for lane in 0..LANES {
            let number = level(factors[lane] * (row[lane] - min[lane]), most, false);
            let distance = scales[lane] * number as f32 + min[lane] - row[lane];
            best[lane] += weigh[lane] * weighed(distance, steps.absolute);
        }
    }

    for step in 0..=steps.last {
        let offset = steps.first + steps.step * f32::from(step) + most;
        let factor: [f32; LANES] = std::array::from_fn(|lane| offset / (max[lane] - min[lane]));
        let (mut sum_l, mut sum_l2, mut sum_xl) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        let mut levels = [[0.0; LANES]; N];
        for at in 0..N {
            for lane in 0..LANES {
                let (x, w) = (blocks[at][lane], importance[at][lane]);
                let number = level(factor[lane] * (x - min[lane]), most, steps.cut_first) as f32;
                levels[at][lane] = number;
                sum_l[lane] += w * number;
                sum_l2[lane] += w * number * number;
                sum_xl[lane] += w * number * x;
            }
        }
        let (mut scale, mut lowest, mut solvable) = ([0.0; LANES], [0.0; LANES], [false; LANES]);
        for lane in 0..LANES {
            let (l, l2, xl) = (sum_l[lane], sum_l2[lane], sum_xl[lane]);
            let determinant = sum_w[lane] * l2 - l * l;
            solvable[lane] = determinant > 0.0;
            let free = (l2 * sum_x[lane] - l * xl) / determinant;
            // A minimum above zero is not stored: the fit without one.
            let held = free > 0.0;
            let free_scale = (sum_w[lane] * xl - sum_x[lane] * l) / determinant;
            lowest[lane] = if held { 0.0 } else { free };
            scale[lane] = if held { xl / l2 } else { free_scale };
        }
        let mut error = [0.0; LANES];
        for at in 0..N {
            for lane in 0..LANES {
                let distance = scale[lane] * levels[at][lane] + lowest[lane] - blocks[at][lane];
                error[lane] += importance[at][lane] * weighed(distance, steps.absolute);
            }
        }
        for lane in 0..LANES {
            let better = solvable[lane] & (error[lane] < best[lane]);
            best[lane] = if better { error[lane] } else { best[lane] };
            scales[lane] = if better { scale[lane] } else { scales[lane] };
            factors[lane] = if better { factor[lane] } else { factors[lane] };
            origins[lane] = if better { min[lane] } else { origins[lane] };
            cut_first[lane] |= better & steps.cut_first;
            min[lane] = if better { lowest[lane] } else { min[lane] };
        }
    }
    for lane in 0..LANES {
        if flat[lane] {
            (scales[lane], factors[lane]) = (0.0, 0.0);
        }
    }
    // A flat block leaves the loop with NaN and without a better fit, so its minimum is still its own.
    Affine {
        scales,
        minima: min.map(|lowest| -lowest),
        factors,
        origins,
        cut_first,
        most,
    }
}

#[inline(always)]
fn weighed(distance: f32, absolute: bool) -> f32 {
    if absolute {
        distance.abs()
    } else {
        distance * distance
    }
}
