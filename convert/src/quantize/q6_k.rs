//! `Q6_K`: 256 weights in 6.5625 bits each (`quantize_q6_K` in `ggml-quants.c`), in 16 parts of 16. A part has a signed
//! byte for a scale, the block a binary16 scale: a weight reads as `d * scale * (level - 32)`. The levels lie 128 at a
//! time: first the low four bits in 64 bytes (byte `j` holds weights `j` and `j + 64`), and after those of both halves
//! the upper two bits in 32 bytes each (byte `j`: weights `j`, `j + 32`, `j + 64`, `j + 96`); then the scales, then `d`.

use super::floats::{read_scale, scale};
use super::search::{Blocks, centred, nearest, side_by_side};
use super::super_block::{SUPER_BLOCK, pack_pairs, unpack_pair};

/// Bytes of a block.
pub const BYTES: usize = LOW + HIGH + PARTS + 2;
/// Bytes of the low four bits.
const LOW: usize = SUPER_BLOCK / 2;
/// Bytes of the upper two bits.
const HIGH: usize = SUPER_BLOCK / 4;
/// Parts of a block.
const PARTS: usize = 16;
/// Weights of a part.
const PART: usize = SUPER_BLOCK / PARTS;
/// Scales below this make a block of zeros.
const SMALLEST: f32 = 1e-15;

/// Stores a block, or `None` when its scale is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(
    block: &[f32; SUPER_BLOCK],
    importance: Option<&[f32; SUPER_BLOCK]>,
) -> Option<[u8; BYTES]> {
    let blocks: Blocks<PART, PARTS> = side_by_side(block);
    let weighing = importance.map_or_else(
        || blocks.map(|row| row.map(|x| x * x)),
        |given| side_by_side(given),
    );
    let fit = centred(&blocks, &weighing, 32);
    let mut extreme = 0.0_f32;
    for scale in fit.scales {
        if scale.abs() > extreme.abs() {
            extreme = scale;
        }
    }
    let mut stored = [0; BYTES];
    if extreme.abs() < SMALLEST {
        return Some(stored);
    }
    let inverse = -128.0 / extreme;
    let stored_d = scale(1.0 / inverse)?;
    let d = read_scale(stored_d);
    let scales = fit
        .scales
        .map(|scale| nearest(inverse * scale).min(127) as i8);
    let mut levels = [0; SUPER_BLOCK];
    for (part, &scale) in scales.iter().enumerate() {
        let d = d * f32::from(scale);
        for at in part * PART..(part + 1) * PART {
            levels[at] = if d == 0.0 {
                fit.level(part, block[at])
            } else {
                (nearest(block[at] / d).clamp(-32, 31) + 32) as u8
            };
        }
    }
    for (at, byte) in stored[..LOW].iter_mut().enumerate() {
        let first = at / 64 * 128 + at % 64;
        *byte = levels[first] & 15 | (levels[first + 64] & 15) << 4;
    }
    let upper = levels.map(|level| level >> 4);
    stored[LOW..LOW + HIGH].copy_from_slice(&pack_pairs(&upper));
    for (byte, scale) in stored[LOW + HIGH..].iter_mut().zip(scales) {
        *byte = scale.cast_unsigned();
    }
    stored[BYTES - 2..].copy_from_slice(&stored_d);
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; SUPER_BLOCK] {
    let (low, rest) = stored.split_at(LOW);
    let (high, scales) = rest.split_at(HIGH);
    let d = read_scale([stored[BYTES - 2], stored[BYTES - 1]]);
    let mut weights = [0.0; SUPER_BLOCK];
    for (at, weight) in weights.iter_mut().enumerate() {
        let pair = low[at / 128 * 64 + at % 64];
        let low = if at % 128 < 64 { pair & 15 } else { pair >> 4 };
        let level = f32::from(low | unpack_pair(high, at) << 4) - 32.0;
        *weight = d * f32::from(scales[at / PART].cast_signed()) * level;
    }
    weights
}
