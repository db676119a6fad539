//! What the k-quants share: blocks of 256 weights in 8 or 16 parts, each part with a small scale of its own.

use super::search::Blocks;

/// Weights per block of all k-quants.
pub const SUPER_BLOCK: usize = 256;

/// Bytes of 256 two-bit numbers.
const PAIRS: usize = SUPER_BLOCK / 4;

/// How much each weight of a block counts where an importance matrix is given: `importance * sqrt(sigma2 + weight^2)`
/// with `sigma2 = variance_factor * mean(weight^2)`, and the sum for every part.
#[inline(always)]
pub(super) fn weighing<const N: usize, const LANES: usize>(
    block: &[f32; SUPER_BLOCK],
    blocks: &Blocks<N, LANES>,
    importance: &Blocks<N, LANES>,
    variance_factor: f32,
) -> (Blocks<N, LANES>, [f32; LANES]) {
    let squares = block.iter().fold(0.0, |sum, x| sum + x * x);
    let sigma2 = variance_factor * squares / SUPER_BLOCK as f32;
    let mut weighing = *importance;
    let mut sums = [0.0; LANES];
    for (row, weights) in weighing.iter_mut().zip(blocks) {
        for lane in 0..LANES {
            row[lane] *= (sigma2 + weights[lane] * weights[lane]).sqrt();
            sums[lane] += row[lane];
        }
    }
    (weighing, sums)
}

/// Stores two-bit numbers, 128 at a time: byte `j` holds numbers `j`, `j + 32`, `j + 64` and `j + 96`, lowest bits first.
/// Bits above the second are dropped.
#[inline(always)]
pub(super) fn pack_pairs(levels: &[u8; SUPER_BLOCK]) -> [u8; PAIRS] {
    std::array::from_fn(|at| {
        let first = at / 32 * 128 + at % 32;
        let pair = |part: usize| (levels[first + 32 * part] & 3) << (2 * part);
        pair(0) | pair(1) | pair(2) | pair(3)
    })
}

/// Number `at`.
#[inline(always)]
pub(super) fn unpack_pair(stored: &[u8], at: usize) -> u8 {
    stored[at / 128 * 32 + at % 32] >> (at % 128 / 32 * 2) & 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_in_every_place_reads_back() {
        for shift in 0..4 {
            let levels = std::array::from_fn(|at| ((at / 3 + shift) % 4) as u8);
            let stored = pack_pairs(&levels);
            let read = std::array::from_fn(|at| unpack_pair(&stored, at));
            assert_eq!(levels, read);
        }
    }
}
