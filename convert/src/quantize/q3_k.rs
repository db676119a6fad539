//! `Q3_K`: 256 weights in 3.4375 bits each (`quantize_q3_K` in `ggml-quants.c`), in 16 parts of 16. A part has a six-bit
//! scale, the block a binary16 scale: a weight reads as `d * (scale - 32) * (level - 4)`. First 32 bytes with the third
//! bits of the levels (bit `p` of byte `j` for weight `32 p + j`), then the low two bits (see `pack_pairs`), 12 bytes of
//! scales, and `d`.

use super::floats::{read_scale, scale};
use super::search::{Blocks, centred, nearest, side_by_side, three_bits};
use super::super_block::{SUPER_BLOCK, pack_pairs, unpack_pair, weighing};

/// Bytes of a block.
pub const BYTES: usize = HIGH + SUPER_BLOCK / 4 + SCALES + 2;
/// Bytes of the third bits.
const HIGH: usize = SUPER_BLOCK / 8;
/// Bytes of the scales.
const SCALES: usize = 12;
/// Parts of a block.
const PARTS: usize = 16;
/// Weights of a part.
const PART: usize = SUPER_BLOCK / PARTS;

/// Stores a block, or `None` when its scale is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(
    block: &[f32; SUPER_BLOCK],
    importance: Option<&[f32; SUPER_BLOCK]>,
) -> Option<[u8; BYTES]> {
    let blocks: Blocks<PART, PARTS> = side_by_side(block);
    let mut levels = [0; SUPER_BLOCK];
    let (d, scales) = if let Some(importance) = importance {
        let importance = side_by_side(importance);
        let (weighing, sums) = weighing(block, &blocks, &importance, 2.0);
        let fit = centred(&blocks, &weighing, 4);
        for (at, level) in levels.iter_mut().enumerate() {
            *level = fit.level(at / PART, block[at]);
        }
        // The scale of the scales is looked for in the same way.
        let one: Blocks<PARTS, 1> = fit.scales.map(|scale| [scale]);
        let whole = centred(&one, &sums.map(|sum| [sum]), 32);
        (
            whole.scales[0],
            fit.scales.map(|scale| whole.level(0, scale)),
        )
    } else {
        let (scales, searched) = three_bits(&blocks);
        for (at, level) in levels.iter_mut().enumerate() {
            *level = searched[at % PART][at / PART];
        }
        six_bits(&scales)
    };

    let stored_d = scale(d)?;
    for (part, &scale) in scales.iter().enumerate() {
        let d = read_scale(stored_d) * (f32::from(scale) - 32.0);
        if d != 0.0 {
            for at in part * PART..(part + 1) * PART {
                levels[at] = (nearest(block[at] / d).clamp(-4, 3) + 4) as u8;
            }
        }
    }
    let mut stored = [0; BYTES];
    for (at, level) in levels.iter().enumerate() {
        stored[at % HIGH] |= level >> 2 << (at / HIGH);
    }
    stored[HIGH..HIGH + SUPER_BLOCK / 4].copy_from_slice(&pack_pairs(&levels));
    stored[BYTES - 2 - SCALES..BYTES - 2].copy_from_slice(&pack_scales(&scales));
    stored[BYTES - 2..].copy_from_slice(&stored_d);
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; SUPER_BLOCK] {
    let (high, rest) = stored.split_at(HIGH);
    let (pairs, rest) = rest.split_at(SUPER_BLOCK / 4);
    let d = read_scale([stored[BYTES - 2], stored[BYTES - 1]]);
    let steps: [f32; PARTS] =
        std::array::from_fn(|part| d * (f32::from(unpack_scale(rest, part)) - 32.0));
    let mut weights = [0.0; SUPER_BLOCK];
    for (at, weight) in weights.iter_mut().enumerate() {
        let third = high[at % HIGH] >> (at / HIGH) & 1;
        *weight = steps[at / PART] * (f32::from(unpack_pair(pairs, at) | third << 2) - 4.0);
    }
    weights
}

/// The scale of the largest absolute value becomes -32, the others in proportion: the scale, and the numbers plus 32.
#[inline(always)]
fn six_bits(scales: &[f32; PARTS]) -> (f32, [u8; PARTS]) {
    let mut extreme = 0.0_f32;
    for &scale in scales {
        if scale.abs() > extreme.abs() {
            extreme = scale;
        }
    }
    if extreme == 0.0 {
        return (0.0, [0; PARTS]);
    }
    let inverse = -32.0 / extreme;
    let level = |scale: f32| ((nearest(inverse * scale) as i8).clamp(-32, 31) + 32) as u8;
    (1.0 / inverse, scales.map(level))
}

/// Scale `p` keeps its low half in byte `p % 8`, low half first, and its upper two bits in byte `8 + p % 4`.
#[inline(always)]
fn pack_scales(scales: &[u8; PARTS]) -> [u8; SCALES] {
    let mut stored = [0; SCALES];
    for (part, scale) in scales.iter().enumerate() {
        stored[part % 8] |= (scale & 15) << (part / 8 * 4);
        stored[8 + part % 4] |= scale >> 4 << (part / 4 * 2);
    }
    stored
}

#[inline(always)]
fn unpack_scale(stored: &[u8], part: usize) -> u8 {
    let low = stored[part % 8] >> (part / 8 * 4) & 15;
    low | (stored[8 + part % 4] >> (part / 4 * 2) & 3) << 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_bit_scales_read_back() {
        for shift in 0..16 {
            let scales = std::array::from_fn(|part| ((part * 11 + shift * 5) % 64) as u8);
            let stored = pack_scales(&scales);
            assert_eq!(
                std::array::from_fn(|part| unpack_scale(&stored, part)),
                scales
            );
        }
    }
}
