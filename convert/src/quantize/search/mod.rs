//! How ggml looks for the scales of a block: the searches of `ggml-quants.c`, done for several blocks side by side.
//!
//! ggml adds up the weights of a block one after the other, and a sum of floats depends on its order. So a block cannot
//! be spread over vector lanes, but different blocks can: lane `k` holds block `k`, every lane does what ggml does to one
//! block, in its order, and the stored bytes are the same, several times faster.

mod affine;
mod centred;
mod coordinate;
mod positive;

pub(super) use affine::{Steps, affine};
pub(super) use centred::centred;
pub(super) use coordinate::three_bits;
pub(super) use positive::positive;

/// The blocks next to each other: `blocks[i][k]` is weight `i` of block `k`.
pub(super) type Blocks<const N: usize, const LANES: usize> = [[f32; LANES]; N];

/// Below this all weights of a block count as zero.
const SMALLEST: f32 = 1e-15;

/// The nearest whole number, ties to even, by adding a number whose unit is 1. Beyond 2^22 it gives other numbers, but
/// the same ones as ggml.
#[inline(always)]
pub(super) fn nearest(value: f32) -> i32 {
    let bits = (value + 12_582_912.0).to_bits();
    (bits & 0x007f_ffff).cast_signed() - 0x0040_0000
}

/// Turns `LANES` consecutive blocks of `N` weights into lanes.
#[inline(always)]
pub(super) fn side_by_side<const N: usize, const LANES: usize>(
    weights: &[f32],
) -> Blocks<N, LANES> {
    let mut blocks = [[0.0; LANES]; N];
    for (lane, block) in weights.chunks_exact(N).take(LANES).enumerate() {
        for (at, &weight) in block.iter().enumerate() {
            blocks[at][lane] = weight;
        }
    }
    blocks
}

/// The weight of the largest absolute value of each block, with its sign; the first among equals.
#[inline(always)]
fn extremes<const N: usize, const LANES: usize>(blocks: &Blocks<N, LANES>) -> [f32; LANES] {
    let mut extremes = [0.0_f32; LANES];
    for row in blocks {
        for lane in 0..LANES {
            let larger = row[lane].abs() > extremes[lane].abs();
            extremes[lane] = if larger { row[lane] } else { extremes[lane] };
        }
    }
    extremes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_number() {
        let numbers = [0.5, 1.5, 2.5, -0.5, -1.5, 3.49, -3.51, 0.0].map(nearest);
        assert_eq!(numbers, [0, 2, 2, 0, -2, 3, -4, 0]);
        // What ggml's arithmetic makes of a number that it does not expect.
        assert_eq!(nearest(f32::INFINITY), -0x0040_0000);
        assert_eq!(nearest(f32::NAN), 0);
    }

    #[test]
    fn blocks_become_lanes() {
        let blocks: Blocks<3, 2> = side_by_side(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(blocks, [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]);
        assert_eq!(extremes(&blocks), [3.0, 6.0]);
    }
}
