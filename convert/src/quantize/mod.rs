//! From `f32` rows to stored rows and back, bit for bit as ggml's reference quantizers do it.

pub mod brain_float;
mod five_bits;
pub mod half_precision;
mod overrides;
pub mod q4_0;
pub mod q4_1;
pub mod q5_0;
pub mod q5_1;
pub mod q8_0;
mod recipe;
pub mod roles;

pub use overrides::{TypeChoice, TypeChoiceError, TypeOverride};
pub use recipe::{Recipe, TensorRole};

use crate::gguf::TensorType;

/// Weights per block of all block types here.
pub const BLOCK: usize = 32;

/// A row that cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// A weight is NaN or infinite.
    #[error("weight {column} of the row is {value}")]
    NotFinite {
        /// Position in the row.
        column: usize,
        /// The weight.
        value: f32,
    },
    /// A weight, or the scale of its block, is beyond what 16-bit floating point holds.
    #[error("weight {column} of the row is {value}, too large for a 16-bit value or scale")]
    OutOfRange {
        /// Position in the row.
        column: usize,
        /// The weight.
        value: f32,
    },
    /// The type has no quantizer here.
    #[error("there is no quantizer for {0}")]
    Unsupported(TensorType),
}

/// Appends the stored form of `row` to `out`.
///
/// # Errors
///
/// Refuses weights that are not finite or out of range, and types without a quantizer.
///
/// # Panics
///
/// When the row is not a whole number of blocks; plans are checked for that.
pub fn encode_row(kind: TensorType, row: &[f32], out: &mut Vec<u8>) -> Result<(), RowError> {
    check_finite(row)?;
    match kind {
        TensorType::F32 => out.extend(row.iter().flat_map(|value| value.to_le_bytes())),
        TensorType::F16 => half_precision::encode(row, out)?,
        TensorType::BF16 => brain_float::encode(row, out)?,
        TensorType::Q8_0 => encode_blocks(row, out, q8_0::encode)?,
        TensorType::Q5_1 => encode_blocks(row, out, q5_1::encode)?,
        TensorType::Q5_0 => encode_blocks(row, out, q5_0::encode)?,
        TensorType::Q4_1 => encode_blocks(row, out, q4_1::encode)?,
        TensorType::Q4_0 => encode_blocks(row, out, q4_0::encode)?,
        other => return Err(RowError::Unsupported(other)),
    }
    Ok(())
}

/// Refuses weights that are NaN or infinite.
///
/// # Errors
///
/// Names the first.
pub fn check_finite(row: &[f32]) -> Result<(), RowError> {
    match row.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(column) => Err(RowError::NotFinite {
            column,
            value: row[column],
        }),
    }
}

/// Appends the weights that `bytes`, whole stored blocks, stand for.
///
/// # Errors
///
/// Refuses types without a dequantizer.
pub fn decode_row(kind: TensorType, bytes: &[u8], out: &mut Vec<f32>) -> Result<(), RowError> {
    match kind {
        TensorType::F32 => out.extend(
            bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|&chunk| f32::from_le_bytes(chunk)),
        ),
        TensorType::F16 => half_precision::decode(bytes, out),
        TensorType::BF16 => brain_float::decode(bytes, out),
        TensorType::Q8_0 => decode_blocks(bytes, out, q8_0::decode),
        TensorType::Q5_1 => decode_blocks(bytes, out, q5_1::decode),
        TensorType::Q5_0 => decode_blocks(bytes, out, q5_0::decode),
        TensorType::Q4_1 => decode_blocks(bytes, out, q4_1::decode),
        TensorType::Q4_0 => decode_blocks(bytes, out, q4_0::decode),
        other => return Err(RowError::Unsupported(other)),
    }
    Ok(())
}

/// Encodes block by block; an error of a block is an index in it.
fn encode_blocks<const BYTES: usize>(
    row: &[f32],
    out: &mut Vec<u8>,
    encode: fn(&[f32; BLOCK]) -> Option<[u8; BYTES]>,
) -> Result<(), RowError> {
    let (blocks, rest) = row.as_chunks::<BLOCK>();
    assert!(
        rest.is_empty(),
        "a row of {} weights is planned in whole blocks",
        row.len()
    );
    for (index, block) in blocks.iter().enumerate() {
        let Some(stored) = encode(block) else {
            return Err(out_of_range(row, index * BLOCK));
        };
        out.extend(stored);
    }
    Ok(())
}

fn decode_blocks<const BYTES: usize>(
    bytes: &[u8],
    out: &mut Vec<f32>,
    decode: fn(&[u8; BYTES]) -> [f32; BLOCK],
) {
    let (blocks, _) = bytes.as_chunks();
    blocks.iter().for_each(|block| out.extend(decode(block)));
}

/// The weight of the largest absolute value, with its sign; the first among equals.
fn extreme(block: &[f32; BLOCK]) -> f32 {
    let mut extreme = 0.0_f32;
    for &x in block {
        if extreme.abs() < x.abs() {
            extreme = x;
        }
    }
    extreme
}

/// The smallest and the largest weight.
fn extent(block: &[f32; BLOCK]) -> (f32, f32) {
    let mut extent = (f32::MAX, -f32::MAX);
    for &x in block {
        if x < extent.0 {
            extent.0 = x;
        }
        if x > extent.1 {
            extent.1 = x;
        }
    }
    extent
}

/// Names the largest weight of the block that begins at `start`.
fn out_of_range(row: &[f32], start: usize) -> RowError {
    let mut column = start;
    for at in start..(start + BLOCK).min(row.len()) {
        if row[at].abs() > row[column].abs() {
            column = at;
        }
    }
    let value = row[column];
    RowError::OutOfRange { column, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2048 blocks over 21 powers of two, from SplitMix64 with seed 7: what the reference program below was given.
    fn weights() -> Vec<f32> {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let power = |block: i32| 2.0_f32.powi(block % 21 - 14);
        (0..2048 * 32).map(|at| next() * power(at / 32)).collect()
    }

    /// FNV-1a.
    fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
        bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        })
    }

    /// The digests were made by ggml's own C code (`quantize_row_*_ref` and `dequantize_row_*` of the llama.cpp inside
    /// llama-cpp-sys-2 0.1.160) from the same weights: stored bytes, then the weights they read as.
    #[test]
    fn stored_bytes_and_read_weights_are_those_of_ggml() {
        let weights = weights();
        for (kind, stored, read) in [
            (
                TensorType::F16,
                0x3d42_bd37_6982_b636,
                0x6201_e8c5_d2d9_a3ad,
            ),
            (
                TensorType::BF16,
                0x9199_2ba4_f79c_2932,
                0xa6ed_6859_6675_47a2,
            ),
            (
                TensorType::Q8_0,
                0x54d2_364c_a835_b9d5,
                0x9297_be58_6194_1b7a,
            ),
            (
                TensorType::Q5_1,
                0x457d_62d0_0962_9063,
                0x9c9c_9239_1ce3_2981,
            ),
            (
                TensorType::Q5_0,
                0xab63_fd5f_1731_df94,
                0x670b_d334_8b7a_d2c5,
            ),
            (
                TensorType::Q4_1,
                0x6749_0c97_ff8b_de3d,
                0x59f1_8c81_3129_21d5,
            ),
            (
                TensorType::Q4_0,
                0xbb08_dd72_ad73_02e1,
                0x0c44_3410_c37e_a6ca_u64,
            ),
        ] {
            let mut bytes = Vec::new();
            encode_row(kind, &weights, &mut bytes).unwrap();
            assert_eq!(digest(bytes.iter().copied()), stored, "{kind}, stored");
            let mut back = Vec::new();
            decode_row(kind, &bytes, &mut back).unwrap();
            let back = back.iter().flat_map(|weight| weight.to_le_bytes());
            assert_eq!(digest(back), read, "{kind}, read");
        }
    }
}
