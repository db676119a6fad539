//! What `Q4_K` and `Q5_K` share: 256 weights in 8 parts of 32. A part has a six-bit scale and a six-bit minimum, the
//! block a binary16 scale for either: a weight reads as `d * scale * level - m * minimum`.
//!
//! The 16 six-bit numbers lie in 12 bytes: scales 0 to 3, then minima 0 to 3, each in the low six bits of a byte; the
//! last four bytes hold the low halves of scales and minima 4 to 7, whose upper bits are the upper bits of the others.

use super::floats::{read_scale, scale};
use super::search::{Blocks, Steps, affine, nearest, positive, side_by_side};
use super::super_block::{SUPER_BLOCK, weighing};

/// Parts of a block.
const PARTS: usize = 8;
/// Weights of a part.
const PART: usize = SUPER_BLOCK / PARTS;
/// The largest six-bit number.
const MOST: u8 = 63;
/// Bytes of the two scales and the 16 six-bit numbers.
pub(super) const HEAD: usize = 2 + 2 + 12;

/// What is searched with an importance matrix, for all types with a minimum.
pub(super) const WEIGHTED: Steps = Steps {
    first: -0.9,
    step: 0.05,
    last: 36,
    absolute: false,
    cut_first: true,
};

/// Stores the low four bits of all levels, 64 at a time: 32 bytes whose low halves are the first 32 of them.
#[inline(always)]
pub(super) fn pack_halves(levels: &[u8; SUPER_BLOCK], stored: &mut [u8]) {
    for (at, byte) in stored.iter_mut().enumerate() {
        let first = at / 32 * 64 + at % 32;
        *byte = levels[first] & 15 | (levels[first + 32] & 15) << 4;
    }
}

/// The low four bits of level `at`.
#[inline(always)]
pub(super) fn unpack_half(stored: &[u8], at: usize) -> u8 {
    let pair = stored[at / 64 * 32 + at % 32];
    if at % 64 < 32 { pair & 15 } else { pair >> 4 }
}

/// The head of the stored block, and its levels from 0 to `most`; `None` when a scale is beyond binary16.
#[inline(always)]
pub(super) fn encode(
    block: &[f32; SUPER_BLOCK],
    importance: Option<&[f32; SUPER_BLOCK]>,
    most: u8,
    steps: Steps,
) -> Option<([u8; HEAD], [u8; SUPER_BLOCK])> {
    let blocks: Blocks<PART, PARTS> = side_by_side(block);
    let (fit, d, m, scales, minima) = if let Some(importance) = importance {
        let importance = side_by_side(importance);
        let (weighing, sums) = weighing(block, &blocks, &importance, 2.0);
        let fit = affine(&blocks, &weighing, most, WEIGHTED);
        let (d, scales) = positive(&fit.scales, &sums, MOST);
        let (m, minima) = positive(&fit.minima, &sums, MOST);
        (fit, d, m, scales, minima)
    } else {
        let fit = affine(&blocks, &magnitudes(&blocks), most, steps);
        let (d, scales) = six_bits(&fit.scales);
        let (m, minima) = six_bits(&fit.minima);
        (fit, d, m, scales, minima)
    };

    let mut head = [0; HEAD];
    head[..2].copy_from_slice(&scale(d)?);
    head[2..4].copy_from_slice(&scale(m)?);
    head[4..].copy_from_slice(&pack(&scales, &minima));
    let mut levels = [0; SUPER_BLOCK];
    for (part, (d, m)) in steps_of(&head).into_iter().enumerate() {
        let part_of = part * PART..(part + 1) * PART;
        for (level, &x) in levels[part_of.clone()].iter_mut().zip(&block[part_of]) {
            *level = if d == 0.0 {
                fit.level(part, x)
            } else {
                nearest((x + m) / d).clamp(0, i32::from(most)) as u8
            };
        }
    }
    Some((head, levels))
}

/// The weights of `levels` under `head`.
#[inline(always)]
pub(super) fn decode(head: &[u8; HEAD], level: impl Fn(usize) -> u8) -> [f32; SUPER_BLOCK] {
    let steps = steps_of(head);
    let mut weights = [0.0; SUPER_BLOCK];
    for (at, weight) in weights.iter_mut().enumerate() {
        let (d, m) = steps[at / PART];
        *weight = d * f32::from(level(at)) - m;
    }
    weights
}

/// Without an importance matrix a weight counts by its own size: `sqrt(mean(x^2)) + |x|`.
#[inline(always)]
fn magnitudes(blocks: &Blocks<PART, PARTS>) -> Blocks<PART, PARTS> {
    let mut squares = [0.0; PARTS];
    for row in blocks {
        for lane in 0..PARTS {
            squares[lane] += row[lane] * row[lane];
        }
    }
    let mean = squares.map(|sum| (sum / PART as f32).sqrt());
    blocks.map(|row| std::array::from_fn(|lane| mean[lane] + row[lane].abs()))
}

/// The largest number becomes 63, the others in proportion: the scale, and the numbers.
#[inline(always)]
fn six_bits(numbers: &[f32; PARTS]) -> (f32, [u8; PARTS]) {
    let largest = numbers
        .iter()
        .fold(0.0_f32, |max, &x| if x > max { x } else { max });
    let most = f32::from(MOST);
    let inverse = if largest > 0.0 { most / largest } else { 0.0 };
    // A byte, as in ggml: a number below zero wraps around and is then the largest.
    let levels = numbers.map(|x| (nearest(inverse * x) as u8).min(MOST));
    (largest / most, levels)
}

/// Stores the six-bit numbers.
#[inline(always)]
fn pack(scales: &[u8; PARTS], minima: &[u8; PARTS]) -> [u8; 12] {
    let mut stored = [0; 12];
    for part in 0..4 {
        let (scale, minimum) = (scales[part + 4], minima[part + 4]);
        stored[part] = scales[part] | scale >> 4 << 6;
        stored[part + 4] = minima[part] | minimum >> 4 << 6;
        stored[part + 8] = scale & 15 | (minimum & 15) << 4;
    }
    stored
}

/// `(d * scale, m * minimum)` of every part.
#[inline(always)]
fn steps_of(head: &[u8; HEAD]) -> [(f32, f32); PARTS] {
    let (d, m) = (
        read_scale([head[0], head[1]]),
        read_scale([head[2], head[3]]),
    );
    std::array::from_fn(|part| {
        let stored = &head[4..];
        let (scale, minimum) = if part < 4 {
            (stored[part] & 63, stored[part + 4] & 63)
        } else {
            (
                stored[part + 4] & 15 | stored[part - 4] >> 6 << 4,
                stored[part + 4] >> 4 | stored[part] >> 6 << 4,
            )
        };
        (d * f32::from(scale), m * f32::from(minimum))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bit_numbers_read_back() {
        let scales = [0, 1, 31, 63, 62, 16, 48, 5];
        let minima = [63, 2, 32, 0, 15, 17, 33, 60];
        let mut head = [0; HEAD];
        // Scales of 1 leave the numbers themselves.
        head[..4].copy_from_slice(&[0, 0x3c, 0, 0x3c]);
        head[4..].copy_from_slice(&pack(&scales, &minima));
        let read = steps_of(&head);
        let expected: Vec<(f32, f32)> = (0..PARTS)
            .map(|part| (f32::from(scales[part]), f32::from(minima[part])))
            .collect();
        assert_eq!(read.as_slice(), expected);
    }
}
