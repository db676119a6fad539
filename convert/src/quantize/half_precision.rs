//! IEEE 754 binary16, rounded to nearest, ties to even (as F16C hardware and ggml's tables do).

use half::f16;

use super::RowError;

/// Appends `row` as binary16.
///
/// # Errors
///
/// When a finite weight would become infinite.
pub fn encode(row: &[f32], out: &mut Vec<u8>) -> Result<(), RowError> {
    for (column, &value) in row.iter().enumerate() {
        let stored = f16::from_f32(value);
        if !stored.is_finite() {
            return Err(RowError::OutOfRange { column, value });
        }
        out.extend(stored.to_le_bytes());
    }
    Ok(())
}

/// Appends the weights of stored binary16.
pub fn decode(bytes: &[u8], out: &mut Vec<f32>) {
    let (chunks, _) = bytes.as_chunks::<2>();
    out.extend(
        chunks
            .iter()
            .map(|&chunk| f16::from_le_bytes(chunk).to_f32()),
    );
}

/// A block's scale as it is stored, or `None` when binary16 cannot hold it.
pub(super) fn scale(value: f32) -> Option<[u8; 2]> {
    let stored = f16::from_f32(value);
    stored.is_finite().then(|| stored.to_le_bytes())
}
