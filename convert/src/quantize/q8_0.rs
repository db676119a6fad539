//! `Q8_0`: 32 weights as one binary16 scale and 32 signed bytes (`quantize_row_q8_0_ref` in `ggml-quants.c`).
//!
//! `d = max|x| / 127`, `q = round(x / d)` with halves away from zero; a weight reads as `d * q`.

use super::BLOCK;
use super::floats::{read_scale, scale};

/// Bytes of a block.
pub const BYTES: usize = 2 + BLOCK;

/// Stores a block, or `None` when its scale is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(block: &[f32; BLOCK]) -> Option<[u8; BYTES]> {
    let largest = block.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    let d = largest / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let mut stored = [0; BYTES];
    stored[..2].copy_from_slice(&scale(d)?);
    for (q, x) in stored[2..].iter_mut().zip(block) {
        *q = ((x * inverse).round() as i8).cast_unsigned();
    }
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; BLOCK] {
    let d = read_scale([stored[0], stored[1]]);
    std::array::from_fn(|at| d * f32::from(stored[2 + at].cast_signed()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    /// Half a step, plus what rounding the scale to binary16 (2^-11 relative) shifts the largest of 127 steps,
    /// plus the smallest binary16, in units of the largest weight of the block.
    const RELATIVE_BOUND: f32 = 0.5 / 127.0 + 1.0 / 2048.0;
    /// 127 steps of half the smallest binary16 subnormal.
    const ABSOLUTE_BOUND: f32 = 127.0 * 3.0e-8;

    #[test]
    fn zeros_stay_zeros() {
        assert_eq!(encode(&[0.0; BLOCK]), Some([0; BYTES]));
    }

    #[test]
    fn a_hand_made_block_follows_the_formula() {
        // The largest weight is 127, so d is 1 and every weight is its own number; halves go away from zero.
        let mut block = [0.0; BLOCK];
        block[..6].copy_from_slice(&[127.0, -127.0, 0.5, -0.5, 1.49, -2.5]);
        let stored = encode(&block).unwrap();
        assert_eq!(stored[..2], f16::ONE.to_le_bytes());
        let q: Vec<i8> = stored[2..8].iter().map(|q| q.cast_signed()).collect();
        assert_eq!(q, [127, -127, 1, -1, 1, -3]);
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
