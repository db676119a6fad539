//! From `f32` rows to stored rows and back, bit for bit as ggml's quantizers do it.

mod affine_block;
mod five_bits;
pub mod floats;
#[cfg(test)]
mod k_quant_tests;
#[cfg(test)]
mod like_ggml;
mod mixture;
#[cfg(test)]
mod mixture_tests;
mod overrides;
pub mod q2_k;
pub mod q3_k;
pub mod q4_0;
pub mod q4_1;
pub mod q4_k;
pub mod q5_0;
pub mod q5_1;
pub mod q5_k;
pub mod q6_k;
pub mod q8_0;
mod recipe;
pub mod roles;
mod search;
mod super_block;
mod weighted;
#[allow(
    unsafe_code,
    reason = "calling what is compiled for wider vectors has no safe form"
)]
mod wide;

pub use mixture::{Member, ModelShape};
pub use overrides::{TypeChoice, TypeChoiceError, TypeOverride};
pub use recipe::{Recipe, TensorRole};
pub use super_block::SUPER_BLOCK;

use crate::gguf::TensorType;
use wide::{Work, widest};

/// Weights per block of the types that are not k-quants.
pub const BLOCK: usize = 32;

/// The types that rows are encoded as.
pub const ENCODED: [TensorType; 13] = [
    TensorType::F32,
    TensorType::F16,
    TensorType::BF16,
    TensorType::Q8_0,
    TensorType::Q6_K,
    TensorType::Q5_K,
    TensorType::Q5_1,
    TensorType::Q5_0,
    TensorType::Q4_K,
    TensorType::Q4_1,
    TensorType::Q4_0,
    TensorType::Q3_K,
    TensorType::Q2_K,
];

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
    encode_row_under(kind, row, None, out)
}

/// [`encode_row`] under an importance matrix: `importance` says, column by column, how much an error counts (mean squares
/// of what the matrix is multiplied with). `Q8_0` and the floating-point types do not look at it.
///
/// # Errors
///
/// As [`encode_row`].
///
/// # Panics
///
/// As [`encode_row`], and when there are not as many numbers as columns.
pub fn encode_row_under(
    kind: TensorType,
    row: &[f32],
    importance: Option<&[f32]>,
    out: &mut Vec<u8>,
) -> Result<(), RowError> {
    if let Some(importance) = importance {
        assert_eq!(importance.len(), row.len(), "importance is checked before");
    }
    widest(Encode {
        kind,
        row,
        importance,
        out,
    })
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
    widest(Decode { kind, bytes, out })
}

struct Encode<'a> {
    kind: TensorType,
    row: &'a [f32],
    importance: Option<&'a [f32]>,
    out: &'a mut Vec<u8>,
}

impl Work for Encode<'_> {
    type Output = Result<(), RowError>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Self {
            kind,
            row,
            importance,
            out,
        } = self;
        check_finite(row)?;
        match (kind, importance) {
            (TensorType::F32, _) => out.extend(row.iter().flat_map(|value| value.to_le_bytes())),
            (TensorType::F16, _) => floats::encode_f16(row, out)?,
            (TensorType::BF16, _) => floats::encode_bf16(row, out)?,
            (TensorType::Q8_0, _) => encode_blocks(row, None, out, |block, _| q8_0::encode(block))?,
            (
                TensorType::Q4_0 | TensorType::Q4_1 | TensorType::Q5_0 | TensorType::Q5_1,
                Some(importance),
            ) => weighted::encode(kind, row, importance, out)?,
            (TensorType::Q5_1, None) => {
                encode_blocks(row, None, out, |block, _| q5_1::encode(block))?;
            }
            (TensorType::Q5_0, None) => {
                encode_blocks(row, None, out, |block, _| q5_0::encode(block))?;
            }
            (TensorType::Q4_1, None) => {
                encode_blocks(row, None, out, |block, _| q4_1::encode(block))?;
            }
            (TensorType::Q4_0, None) => {
                encode_blocks(row, None, out, |block, _| q4_0::encode(block))?;
            }
            (TensorType::Q2_K, _) => encode_blocks(row, importance, out, q2_k::encode)?,
            (TensorType::Q3_K, _) => encode_blocks(row, importance, out, q3_k::encode)?,
            (TensorType::Q4_K, _) => encode_blocks(row, importance, out, q4_k::encode)?,
            (TensorType::Q5_K, _) => encode_blocks(row, importance, out, q5_k::encode)?,
            (TensorType::Q6_K, _) => encode_blocks(row, importance, out, q6_k::encode)?,
            (other, _) => return Err(RowError::Unsupported(other)),
        }
        Ok(())
    }
}

struct Decode<'a> {
    kind: TensorType,
    bytes: &'a [u8],
    out: &'a mut Vec<f32>,
}

impl Work for Decode<'_> {
    type Output = Result<(), RowError>;

    #[inline(always)]
    fn run(self) -> Self::Output {
        let Self { kind, bytes, out } = self;
        match kind {
            TensorType::F32 => {
                let (words, _) = bytes.as_chunks::<4>();
                out.extend(words.iter().map(|&word| f32::from_le_bytes(word)));
            }
            TensorType::F16 => floats::decode_f16(bytes, out),
            TensorType::BF16 => floats::decode_bf16(bytes, out),
            TensorType::Q8_0 => decode_blocks(bytes, out, q8_0::decode),
            TensorType::Q5_1 => decode_blocks(bytes, out, q5_1::decode),
            TensorType::Q5_0 => decode_blocks(bytes, out, q5_0::decode),
            TensorType::Q4_1 => decode_blocks(bytes, out, q4_1::decode),
            TensorType::Q4_0 => decode_blocks(bytes, out, q4_0::decode),
            TensorType::Q2_K => decode_blocks(bytes, out, q2_k::decode),
            TensorType::Q3_K => decode_blocks(bytes, out, q3_k::decode),
            TensorType::Q4_K => decode_blocks(bytes, out, q4_k::decode),
            TensorType::Q5_K => decode_blocks(bytes, out, q5_k::decode),
            TensorType::Q6_K => decode_blocks(bytes, out, q6_k::decode),
            other => return Err(RowError::Unsupported(other)),
        }
        Ok(())
    }
}

/// Encodes block by block; a block that cannot be stored is named by its largest weight.
#[inline(always)]
fn encode_blocks<const WEIGHTS: usize, const BYTES: usize>(
    row: &[f32],
    importance: Option<&[f32]>,
    out: &mut Vec<u8>,
    encode: impl Fn(&[f32; WEIGHTS], Option<&[f32; WEIGHTS]>) -> Option<[u8; BYTES]>,
) -> Result<(), RowError> {
    let (blocks, rest) = row.as_chunks::<WEIGHTS>();
    assert!(
        rest.is_empty(),
        "a row of {} weights is planned in whole blocks",
        row.len()
    );
    let importance = importance.map(|importance| importance.as_chunks::<WEIGHTS>().0);
    for (index, block) in blocks.iter().enumerate() {
        let Some(stored) = encode(block, importance.map(|blocks| &blocks[index])) else {
            return Err(out_of_range(row, index * WEIGHTS, WEIGHTS));
        };
        out.extend(stored);
    }
    Ok(())
}

#[inline(always)]
fn decode_blocks<const WEIGHTS: usize, const BYTES: usize>(
    bytes: &[u8],
    out: &mut Vec<f32>,
    decode: impl Fn(&[u8; BYTES]) -> [f32; WEIGHTS],
) {
    let (blocks, _) = bytes.as_chunks();
    blocks.iter().for_each(|block| out.extend(decode(block)));
}

/// The weight of the largest absolute value, with its sign; the first among equals.
#[inline(always)]
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
#[inline(always)]
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
fn out_of_range(row: &[f32], start: usize, weights: usize) -> RowError {
    let mut column = start;
    for at in start..(start + weights).min(row.len()) {
        if row[at].abs() > row[column].abs() {
            column = at;
        }
    }
    let value = row[column];
    RowError::OutOfRange { column, value }
}
