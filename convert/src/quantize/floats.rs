//! The 16-bit floating-point types, rounded to nearest, ties to even: `F16` is IEEE 754 binary16 (as F16C hardware and
//! ggml's tables do it), `BF16` the upper half of an F32 (`ggml_compute_fp32_to_bf16`).

use half::{bf16, f16};

use super::RowError;

/// Bits of the exponent of binary16; all of them are set in what is not finite.
const F16_EXPONENT: u16 = 0x7c00;
/// Those of BF16.
const BF16_EXPONENT: u16 = 0x7f80;

/// Appends `row` as binary16.
///
/// # Errors
///
/// When a finite weight would become infinite.
pub fn encode_f16(row: &[f32], out: &mut Vec<u8>) -> Result<(), RowError> {
    encode(
        row,
        out,
        |value| f16::from_f32(value).to_bits(),
        F16_EXPONENT,
    )
}

/// Appends `row` as BF16.
///
/// # Errors
///
/// When a finite weight would become infinite.
pub fn encode_bf16(row: &[f32], out: &mut Vec<u8>) -> Result<(), RowError> {
    encode(
        row,
        out,
        |value| bf16::from_f32(value).to_bits(),
        BF16_EXPONENT,
    )
}

fn encode(
    row: &[f32],
    out: &mut Vec<u8>,
    nearest: impl Fn(f32) -> u16,
    exponent: u16,
) -> Result<(), RowError> {
    for (column, &value) in row.iter().enumerate() {
        let bits = nearest(value);
        if bits & exponent == exponent {
            return Err(RowError::OutOfRange { column, value });
        }
        out.extend(bits.to_le_bytes());
    }
    Ok(())
}

/// Appends the weights of stored binary16.
pub fn decode_f16(bytes: &[u8], out: &mut Vec<f32>) {
    decode(bytes, out, |stored| f16::from_le_bytes(stored).to_f32());
}

/// Appends the weights of stored BF16.
pub fn decode_bf16(bytes: &[u8], out: &mut Vec<f32>) {
    decode(bytes, out, |stored| bf16::from_le_bytes(stored).to_f32());
}

fn decode(bytes: &[u8], out: &mut Vec<f32>, read: impl Fn([u8; 2]) -> f32) {
    let (chunks, _) = bytes.as_chunks();
    out.extend(chunks.iter().map(|&stored| read(stored)));
}

/// A block's scale as it is stored, or `None` when binary16 cannot hold it.
#[inline]
pub(super) fn scale(value: f32) -> Option<[u8; 2]> {
    let stored = f16::from_f32(value);
    stored.is_finite().then(|| stored.to_le_bytes())
}

/// A stored scale.
#[inline]
pub(super) fn read_scale(stored: [u8; 2]) -> f32 {
    f16::from_le_bytes(stored).to_f32()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_the_even_neighbour_and_nothing_becomes_infinite() {
        let bits = |bits: u32| f32::from_bits(bits);
        let row = [
            1.0,
            bits(0x3f80_8000),
            bits(0x3f81_8000),
            bits(0x3f80_8001),
            -0.0,
            bits(1),
        ];
        let mut stored = Vec::new();
        encode_bf16(&row, &mut stored).unwrap();
        let words: Vec<u16> = stored
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&pair| u16::from_le_bytes(pair))
            .collect();
        assert_eq!(words, [0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x8000, 0]);
        let value = f32::MAX;
        let refused = Err(RowError::OutOfRange { column: 1, value });
        assert_eq!(encode_bf16(&[1.0, f32::MAX], &mut stored), refused);
        assert_eq!(encode_f16(&[1.0, f32::MAX], &mut stored), refused);
    }
}
