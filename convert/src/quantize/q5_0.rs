//! `Q5_0`: 32 weights as one binary16 scale and 32 five-bit numbers (`quantize_row_q5_0_ref` in `ggml-quants.c`).
//!
//! `m` is the weight of the largest absolute value, with its sign, `d = m / -16`, `q = min(31, trunc(x / d + 16.5))`;
//! a weight reads as `d * (q - 16)`. The file `five_bits.rs` says where the bits lie.

use super::BLOCK;
use super::five_bits::{pack, unpack};
use super::floats::{read_scale, scale};

/// Bytes of a block.
pub const BYTES: usize = 2 + 4 + BLOCK / 2;

/// Stores a block, or `None` when its scale is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(block: &[f32; BLOCK]) -> Option<[u8; BYTES]> {
    let d = super::extreme(block) / -16.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let levels = block.map(|x| ((x * inverse + 16.5) as i8).min(31).cast_unsigned());
    let mut stored = [0; BYTES];
    stored[..2].copy_from_slice(&scale(d)?);
    stored[2..].copy_from_slice(&pack(&levels));
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; BLOCK] {
    let d = read_scale([stored[0], stored[1]]);
    let (_, levels) = stored.split_last_chunk().unwrap_or((&[], &[0; 20]));
    unpack(levels).map(|level| (f32::from(level) - 16.0) * d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    #[test]
    fn zeros_stay_zeros() {
        let stored = encode(&[0.0; BLOCK]).unwrap();
        // The scale is 0 / -16, minus zero; every number is 16: all fifth bits, no low bits.
        assert_eq!(stored[..2], f16::NEG_ZERO.to_le_bytes());
        assert_eq!(stored[2..6], [0xff; 4]);
        assert_eq!(stored[6..], [0; BLOCK / 2]);
        assert!(decode(&stored).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn a_hand_made_block_follows_the_formula() {
        // The extreme is -16, so d is 1: -16 -> 0, 0 -> 16, 15 -> 31, 16 -> 32 cut to 31, 0.5 -> 17, -0.5 -> 16.
        let mut block = [0.0; BLOCK];
        block[..4].copy_from_slice(&[-16.0, 0.0, 15.0, 16.0]);
        block[16..18].copy_from_slice(&[0.5, -0.5]);
        let stored = encode(&block).unwrap();
        assert_eq!(stored[..2], f16::ONE.to_le_bytes());
        // All have the fifth bit but the first.
        assert_eq!(stored[2..6], [0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(stored[6..10], [0x10, 0x00, 0x0f, 0x0f]);
    }

    #[test]
    fn a_scale_beyond_binary16_is_refused() {
        assert_eq!(encode(&[2.0e9; BLOCK]), None);
    }

    proptest! {
        #[test]
        fn the_error_is_bounded(block in prop::array::uniform32(-1.0e4_f32..1.0e4)) {
            let largest = block.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
            // A whole step on the side away from the extreme, and the rounding of the scale (2^-11).
            let bound = largest * (1.0 / 16.0 + 1.0 / 2048.0) + 1.0e-6;
            let read = decode(&encode(&block).unwrap());
            for (x, y) in block.iter().zip(read) {
                prop_assert!((x - y).abs() <= bound, "{x} {y}");
            }
        }
    }
}
