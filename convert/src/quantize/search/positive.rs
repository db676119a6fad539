//! The scale of scales: numbers that are not negative, under importance (`make_qp_quants` in `ggml-quants.c`).

use super::{SMALLEST, nearest};

/// Rounds of moving single levels, at most.
const ROUNDS: usize = 5;

/// The scale of `numbers`, and their levels from 0 to `most`: a number is about `scale * level`.
#[inline(always)]
pub(in super::super) fn positive<const N: usize>(
    numbers: &[f32; N],
    importance: &[f32; N],
    most: u8,
) -> (f32, [u8; N]) {
    let largest = numbers
        .iter()
        .fold(0.0_f32, |max, &x| if max > x { max } else { x });
    if largest < SMALLEST {
        return (0.0, [0; N]);
    }
    let (top, most) = (f32::from(most), i32::from(most));
    let mut factor = top / largest;
    // ggml keeps these levels in bytes, so a number below zero wraps around.
    let scale = 1.0 / factor;
    let mut best = 0.0;
    for (&x, &w) in numbers.iter().zip(importance) {
        let distance = x - scale * f32::from(nearest(factor * x) as u8);
        best += w * distance * distance;
    }
    for step in (-4_i8..=4).filter(|&step| step != 0) {
        let tried = (0.1 * f32::from(step) + top) / largest;
        let scale = 1.0 / tried;
        let mut error = 0.0;
        for (&x, &w) in numbers.iter().zip(importance) {
            let distance = x - scale * nearest(tried * x).min(most) as f32;
            error += w * distance * distance;
        }
        if error < best {
            (best, factor) = (error, tried);
        }
    }
    let mut levels = [0_u8; N];
    let (mut sum_lx, mut sum_l2) = (0.0, 0.0);
    for at in 0..N {
        let (x, w) = (numbers[at], importance[at]);
        let level = nearest(factor * x).min(most);
        levels[at] = level as u8;
        sum_lx += w * x * level as f32;
        sum_l2 += w * level as f32 * level as f32;
    }
    for _ in 0..ROUNDS {
        let mut moved = false;
        for at in 0..N {
            let (x, w) = (numbers[at], importance[at]);
            let old = f32::from(levels[at]);
            let (lx, l2) = (sum_lx - w * x * old, sum_l2 - w * old * old);
            if lx > 0.0 && l2 > 0.0 {
                let new = nearest(x * l2 / lx).min(most);
                let lx = lx + w * x * new as f32;
                let l2 = l2 + w * new as f32 * new as f32;
                if new != i32::from(levels[at]) && lx * lx * sum_l2 > sum_lx * sum_lx * l2 {
                    levels[at] = new as u8;
                    (sum_lx, sum_l2) = (lx, l2);
                    moved = true;
                }
            }
        }
        if !moved {
            break;
        }
    }
    let scale = if sum_l2 > 0.0 { sum_lx / sum_l2 } else { 0.0 };
    (scale, levels)
}
