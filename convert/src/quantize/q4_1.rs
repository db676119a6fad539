//! `Q4_1`: 32 weights as a binary16 scale, a binary16 minimum and 32 four-bit numbers (`quantize_row_q4_1_ref` in
//! `ggml-quants.c`).
//!
//! `d = (max - min) / 15`, `q = min(15, trunc((x - min) / d + 0.5))`; a weight reads as `d * q + min`. Byte `j` holds
//! weight `j` in its low half and weight `j + 16` in its high half.

use super::BLOCK;
use super::floats::{read_scale, scale};

/// Bytes of a block.
pub const BYTES: usize = 4 + BLOCK / 2;

/// Stores a block, or `None` when its scale or its minimum is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(block: &[f32; BLOCK]) -> Option<[u8; BYTES]> {
    let (min, max) = super::extent(block);
    let d = (max - min) / 15.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    let level = |x: f32| (((x - min) * inverse + 0.5) as i8).min(15).cast_unsigned();
    let mut stored = [0; BYTES];
    stored[..2].copy_from_slice(&scale(d)?);
    stored[2..4].copy_from_slice(&scale(min)?);
    for at in 0..BLOCK / 2 {
        stored[4 + at] = level(block[at]) | level(block[at + BLOCK / 2]) << 4;
    }
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; BLOCK] {
    let d = read_scale([stored[0], stored[1]]);
    let min = read_scale([stored[2], stored[3]]);
    std::array::from_fn(|at| {
        let pair = stored[4 + at % (BLOCK / 2)];
        let level = if at < BLOCK / 2 { pair & 15 } else { pair >> 4 };
        f32::from(level) * d + min
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    #[test]
    fn a_constant_block_is_its_minimum() {
        let stored = encode(&[-2.5; BLOCK]).unwrap();
        assert_eq!(stored[..2], [0; 2]);
        assert_eq!(stored[4..], [0; BLOCK / 2]);
        assert_eq!(decode(&stored), [-2.5; BLOCK]);
    }

    #[test]
    fn a_hand_made_block_follows_the_formula() {
        // From -3 to 12: d is 1, the number is x + 3, halves go up. Weight 16 shares a byte with weight 0.
        let mut block = [-3.0; BLOCK];
        block[..4].copy_from_slice(&[-3.0, 12.0, 0.0, 0.5]);
        block[16..19].copy_from_slice(&[12.0, -3.0, 1.4]);
        let stored = encode(&block).unwrap();
        assert_eq!(stored[..2], f16::ONE.to_le_bytes());
        assert_eq!(stored[2..4], f16::from_f32(-3.0).to_le_bytes());
        assert_eq!(stored[4..8], [0xf0, 0x0f, 0x43, 0x04]);
    }

    #[test]
    fn a_scale_or_minimum_beyond_binary16_is_refused() {
        assert_eq!(encode(&[1.0e9; BLOCK]), None);
        let mut wide = [f32::MAX; BLOCK];
        wide[0] = f32::MIN;
        assert_eq!(encode(&wide), None);
    }

    proptest! {
        #[test]
        fn the_error_is_bounded(block in prop::array::uniform32(-1.0e4_f32..1.0e4)) {
            let largest = block.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
            let (min, max) = crate::quantize::extent(&block);
            // Half a step, and the rounding of scale and minimum to binary16 (2^-11 of each).
            let bound = (max - min) * (0.5 / 15.0 + 1.0 / 2048.0) + largest / 2048.0 + 1.0e-6;
            let read = decode(&encode(&block).unwrap());
            for (x, y) in block.iter().zip(read) {
                prop_assert!((x - y).abs() <= bound, "{x} {y}");
            }
        }
    }
}
