//! The search of `Q3_K` without importance: every level is moved to where the sum of errors is least, in turn, up to
//! five times over (`make_q3_quants` in `ggml-quants.c`).

use super::{Blocks, SMALLEST, extremes, nearest};

/// Levels go from -4 to 3.
const HALF: i32 = 4;
/// Rounds over the block at most.
const ROUNDS: usize = 5;

/// The scale of every block, and its levels from 0 to 7: a weight is about `scale * (level - 4)`.
#[inline(always)]
pub(in super::super) fn three_bits<const N: usize, const LANES: usize>(
    blocks: &Blocks<N, LANES>,
) -> ([f32; LANES], [[u8; LANES]; N]) {
    let extreme = extremes(blocks);
    let (mut sum_lx, mut sum_l2) = ([0.0; LANES], [0.0; LANES]);
    let mut levels = [[0_i32; LANES]; N];
    for at in 0..N {
        for lane in 0..LANES {
            let x = blocks[at][lane];
            let number = nearest(-(HALF as f32) / extreme[lane] * x).clamp(-HALF, HALF - 1);
            levels[at][lane] = number;
            let w = x * x;
            sum_lx[lane] += w * x * number as f32;
            sum_l2[lane] += w * number as f32 * number as f32;
        }
    }
    for _ in 0..ROUNDS {
        // A block whose levels stood still in one round stands still in all that follow, so the blocks may go on
        // until the last of them rests.
        let mut moved = [false; LANES];
        for at in 0..N {
            for lane in 0..LANES {
                let x = blocks[at][lane];
                let w = x * x;
                let old = levels[at][lane];
                let lx = sum_lx[lane] - w * x * old as f32;
                let l2 = sum_l2[lane] - w * old as f32 * old as f32;
                let new = nearest(x * l2 / lx).clamp(-HALF, HALF - 1);
                let new_lx = lx + w * x * new as f32;
                let new_l2 = l2 + w * new as f32 * new as f32;
                let gain = new_lx * new_lx * sum_l2[lane] > sum_lx[lane] * sum_lx[lane] * new_l2;
                let better = (lx > 0.0) & (new != old) & (new_l2 > 0.0) & gain;
                levels[at][lane] = if better { new } else { old };
                sum_lx[lane] = if better { new_lx } else { sum_lx[lane] };
                sum_l2[lane] = if better { new_l2 } else { sum_l2[lane] };
                moved[lane] |= better;
            }
        }
        if moved == [false; LANES] {
            break;
        }
    }
    let zero = extreme.map(|extreme| extreme.abs() < SMALLEST);
    let scales = std::array::from_fn(|lane| {
        if zero[lane] || sum_l2[lane] <= 0.0 {
            0.0
        } else {
            sum_lx[lane] / sum_l2[lane]
        }
    });
    // ggml leaves the lowest level, not zero, in a block of zeros.
    let stored = |lane: usize, level: i32| if zero[lane] { 0 } else { (level + HALF) as u8 };
    let levels = levels.map(|row| std::array::from_fn(|lane| stored(lane, row[lane])));
    (scales, levels)
}
