//! `Q2_K`: 256 weights in 2.625 bits each (`quantize_q2_K` in `ggml-quants.c`), in 16 parts of 16. A part has a byte with
//! a four-bit scale (low half) and a four-bit minimum, the block a binary16 scale for either: a weight reads as
//! `d * scale * level - m * minimum`. First the 16 bytes, then the levels (see `pack_pairs`), then `d` and `m`.

use super::affine_block::WEIGHTED;
use super::floats::{read_scale, scale};
use super::search::{Blocks, Steps, affine, nearest, positive, side_by_side};
use super::super_block::{SUPER_BLOCK, pack_pairs, unpack_pair, weighing};

/// Bytes of a block.
pub const BYTES: usize = PARTS + SUPER_BLOCK / 4 + 4;
/// Parts of a block.
const PARTS: usize = 16;
/// Weights of a part.
const PART: usize = SUPER_BLOCK / PARTS;
/// The largest four-bit number.
const MOST: u8 = 15;

const STEPS: Steps = Steps {
    first: -0.5,
    step: 0.1,
    last: 15,
    absolute: true,
    cut_first: false,
};

/// Stores a block, or `None` when a scale is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(
    block: &[f32; SUPER_BLOCK],
    importance: Option<&[f32; SUPER_BLOCK]>,
) -> Option<[u8; BYTES]> {
    let blocks: Blocks<PART, PARTS> = side_by_side(block);
    let (fit, d, m, scales, minima) = if let Some(importance) = importance {
        let importance = side_by_side(importance);
        let (weighing, sums) = weighing(block, &blocks, &importance, 1.0);
        let fit = affine(&blocks, &weighing, 3, WEIGHTED);
        let (d, scales) = positive(&fit.scales, &sums, MOST);
        let (m, minima) = positive(&fit.minima, &sums, MOST);
        (fit, d, m, scales, minima)
    } else {
        let fit = affine(&blocks, &blocks.map(|row| row.map(f32::abs)), 3, STEPS);
        let (d, scales) = four_bits(&fit.scales);
        let (m, minima) = four_bits(&fit.minima);
        (fit, d, m, scales, minima)
    };

    let mut stored = [0; BYTES];
    for (byte, (scale, minimum)) in stored.iter_mut().zip(scales.iter().zip(minima)) {
        *byte = scale | minimum << 4;
    }
    let (stored_d, stored_m) = (scale(d)?, scale(m)?);
    stored[BYTES - 4..BYTES - 2].copy_from_slice(&stored_d);
    stored[BYTES - 2..].copy_from_slice(&stored_m);
    let mut levels = [0; SUPER_BLOCK];
    for (part, &byte) in stored[..PARTS].iter().enumerate() {
        let (d, m) = step(byte, stored_d, stored_m);
        for at in part * PART..(part + 1) * PART {
            levels[at] = if d == 0.0 {
                fit.level(part, block[at])
            } else {
                nearest((block[at] + m) / d).clamp(0, 3) as u8
            };
        }
    }
    stored[PARTS..BYTES - 4].copy_from_slice(&pack_pairs(&levels));
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; SUPER_BLOCK] {
    let (parts, pairs) = stored.split_at(PARTS);
    let d = [stored[BYTES - 4], stored[BYTES - 3]];
    let m = [stored[BYTES - 2], stored[BYTES - 1]];
    let mut weights = [0.0; SUPER_BLOCK];
    for (at, weight) in weights.iter_mut().enumerate() {
        let (d, m) = step(parts[at / PART], d, m);
        *weight = d * f32::from(unpack_pair(pairs, at)) - m;
    }
    weights
}

/// `(d * scale, m * minimum)` of a part.
#[inline(always)]
fn step(byte: u8, d: [u8; 2], m: [u8; 2]) -> (f32, f32) {
    (
        read_scale(d) * f32::from(byte & 15),
        read_scale(m) * f32::from(byte >> 4),
    )
}

/// The largest number becomes 15, the others in proportion: the scale, and the numbers.
#[inline(always)]
fn four_bits(numbers: &[f32; PARTS]) -> (f32, [u8; PARTS]) {
    let largest = numbers
        .iter()
        .fold(0.0_f32, |max, &x| if x > max { x } else { max });
    if largest <= 0.0 {
        return (0.0, [0; PARTS]);
    }
    let most = f32::from(MOST);
    let inverse = most / largest;
    (largest / most, numbers.map(|x| nearest(inverse * x) as u8))
}
