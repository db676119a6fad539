//! `Q4_0`: 32 weights as one binary16 scale and 32 four-bit numbers (`quantize_row_q4_0_ref` in `ggml-quants.c`).
//!
//! `m` is the weight of the largest absolute value, with its sign, `d = m / -8`, `q = min(15, trunc(x / d + 8.5))`;
//! a weight reads as `d * (q - 8)`. Byte `j` holds weight `j` in its low half and weight `j + 16` in its high half.

use super::BLOCK;
use super::floats::{read_scale, scale};

/// Bytes of a block.
pub const BYTES: usize = 2 + BLOCK / 2;

/// Stores a block, or `None` when its scale is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(block: &[f32; BLOCK]) -> Option<[u8; BYTES]> {
    let d = super::extreme(block) / -8.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let level = |x: f32| ((x * inverse + 8.5) as i8).min(15).cast_unsigned();
    let mut stored = [0; BYTES];
    stored[..2].copy_from_slice(&scale(d)?);
    for at in 0..BLOCK / 2 {
        stored[2 + at] = level(block[at]) | level(block[at + BLOCK / 2]) << 4;
    }
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; BLOCK] {
    let d = read_scale([stored[0], stored[1]]);
    std::array::from_fn(|at| {
        let pair = stored[2 + at % (BLOCK / 2)];
        let level = if at < BLOCK / 2 { pair & 15 } else { pair >> 4 };
        d * (f32::from(level) - 8.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    /// A whole step, which is what the side of the block away from its extreme loses (its level 16 is cut to 15),
    /// plus the rounding of the scale to binary16 (2^-11 relative), in units of the largest weight.
    const RELATIVE_BOUND: f32 = 1.0 / 8.0 + 1.0 / 2048.0;
    /// Eight steps of half the smallest binary16 subnormal.
    const ABSOLUTE_BOUND: f32 = 8.0 * 3.0e-8;

    #[test]
    fn zeros_stay_zeros() {
        let stored = encode(&[0.0; BLOCK]).unwrap();
        // The scale is 0 / -8, minus zero, as in ggml.
        assert_eq!(stored[..2], f16::NEG_ZERO.to_le_bytes());
        assert_eq!(stored[2..], [0x88; BLOCK / 2]);
        assert!(decode(&stored).iter().all(|x| *x == 0.0));
    }

    #[test]
    fn a_hand_made_block_follows_the_formula() {
        // The extreme is -8, so d is 1: -8 -> 0, 0 -> 8, 7 -> 15, 8 -> 16 cut to 15, 0.5 -> 9, -0.5 -> 8, 1.4 -> 9.
        let mut block = [0.0; BLOCK];
        block[..4].copy_from_slice(&[-8.0, 0.0, 7.0, 8.0]);
        block[16..19].copy_from_slice(&[0.5, -0.5, 1.4]);
        let stored = encode(&block).unwrap();
        assert_eq!(stored[..2], f16::ONE.to_le_bytes());
        assert_eq!(stored[2..6], [0x90, 0x88, 0x9f, 0x8f]);
    }

    #[test]
    fn a_scale_beyond_binary16_is_refused() {
        assert_eq!(encode(&[1.0e9; BLOCK]), None);
    }

    proptest! {
        #[test]
        fn the_error_is_bounded(block in prop::array::uniform32(-1.0e4_f32..1.0e4)) {
            let largest = block.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
            let read = decode(&encode(&block).unwrap());
            for (x, y) in block.iter().zip(read) {
                prop_assert!((x - y).abs() <= RELATIVE_BOUND * largest + ABSOLUTE_BOUND, "{x} {y}");
            }
        }
    }
}
