//! From `f32` rows to stored rows and back, bit for bit as ggml's reference quantizers do it.

pub mod half_precision;
pub mod q4_0;
pub mod q8_0;
mod recipe;

pub use recipe::{Recipe, TensorRole};

use crate::gguf::TensorType;

/// Weights per block of `Q8_0` and `Q4_0`.
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
    if let Some(column) = row.iter().position(|value| !value.is_finite()) {
        let value = row[column];
        return Err(RowError::NotFinite { column, value });
    }
    match kind {
        TensorType::F32 => out.extend(row.iter().flat_map(|value| value.to_le_bytes())),
        TensorType::F16 => half_precision::encode(row, out)?,
        TensorType::Q8_0 => encode_blocks(row, out, q8_0::encode)?,
        TensorType::Q4_0 => encode_blocks(row, out, q4_0::encode)?,
        other => return Err(RowError::Unsupported(other)),
    }
    Ok(())
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
        TensorType::Q8_0 => bytes
            .as_chunks()
            .0
            .iter()
            .for_each(|block| out.extend(q8_0::decode(block))),
        TensorType::Q4_0 => bytes
            .as_chunks()
            .0
            .iter()
            .for_each(|block| out.extend(q4_0::decode(block))),
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
