//! `Q5_1`: 32 weights as a binary16 scale, a binary16 minimum and 32 five-bit numbers (`quantize_row_q5_1_ref` in
//! `ggml-quants.c`).
//!
//! `d = (max - min) / 31`, `q = trunc((x - min) / d + 0.5)`; a weight reads as `d * q + min`.
//! The file `five_bits.rs` says where the bits lie.

use super::BLOCK;
use super::five_bits::{pack, unpack};
use super::floats::{read_scale, scale};

/// Bytes of a block.
pub const BYTES: usize = 4 + 4 + BLOCK / 2;

/// Stores a block, or `None` when its scale or its minimum is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(block: &[f32; BLOCK]) -> Option<[u8; BYTES]> {
    let (min, max) = super::extent(block);
    let d = (max - min) / 31.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    // ggml lets a 32 that rounding might make overflow into the next number; five bits are kept here as there.
    let levels = block.map(|x| ((x - min) * inverse + 0.5) as u8);
    let mut stored = [0; BYTES];
    stored[..2].copy_from_slice(&scale(d)?);
    stored[2..4].copy_from_slice(&scale(min)?);
    stored[4..].copy_from_slice(&pack(&levels));
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; BLOCK] {
    let d = read_scale([stored[0], stored[1]]);
    let min = read_scale([stored[2], stored[3]]);
    let (_, levels) = stored.split_last_chunk().unwrap_or((&[], &[0; 20]));
    unpack(levels).map(|level| f32::from(level) * d + min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    #[test]
    fn a_constant_block_is_its_minimum() {
        let stored = encode(&[1.5; BLOCK]).unwrap();
        assert_eq!(stored[..2], [0; 2]);
        assert_eq!(stored[4..], [0; 20]);
        assert_eq!(decode(&stored), [1.5; BLOCK]);
    }

    #[test]
    fn a_hand_made_block_follows_the_formula() {
        // From -1 to 30: d is 1, the number is x + 1, halves go up.
        let mut block = [-1.0; BLOCK];
        block[..4].copy_from_slice(&[30.0, -1.0, 15.0, 14.4]);
        block[16..18].copy_from_slice(&[15.0, 0.5]);
        let stored = encode(&block).unwrap();
        assert_eq!(stored[..2], f16::ONE.to_le_bytes());
        assert_eq!(stored[2..4], f16::NEG_ONE.to_le_bytes());
        // 31, 0, 16, 15 and then 16, 2: fifth bits of weights 0, 2 and 16.
        assert_eq!(stored[4..8], [0x05, 0x00, 0x01, 0x00]);
        assert_eq!(stored[8..12], [0x0f, 0x20, 0x00, 0x0f]);
    }

    #[test]
    fn a_scale_or_minimum_beyond_binary16_is_refused() {
        assert_eq!(encode(&[1.0e9; BLOCK]), None);
    }

    proptest! {
        #[test]
        fn the_error_is_bounded(block in prop::array::uniform32(-1.0e4_f32..1.0e4)) {
            let largest = block.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
            let (min, max) = crate::quantize::extent(&block);
            let bound = (max - min) * (0.5 / 31.0 + 1.0 / 2048.0) + largest / 2048.0 + 1.0e-6;
            let read = decode(&encode(&block).unwrap());
            for (x, y) in block.iter().zip(read) {
                prop_assert!((x - y).abs() <= bound, "{x} {y}");
            }
        }
    }
}
