//! `BF16`: the upper half of an F32, rounded to nearest, ties to even (`ggml_compute_fp32_to_bf16`).

use half::bf16;

use super::RowError;

/// Appends `row` as BF16.
///
/// # Errors
///
/// When a finite weight would become infinite.
pub fn encode(row: &[f32], out: &mut Vec<u8>) -> Result<(), RowError> {
    for (column, &value) in row.iter().enumerate() {
        let stored = bf16::from_f32(value);
        if !stored.is_finite() {
            return Err(RowError::OutOfRange { column, value });
        }
        out.extend(stored.to_le_bytes());
    }
    Ok(())
}

/// Appends the weights of stored BF16.
pub fn decode(bytes: &[u8], out: &mut Vec<f32>) {
    let (chunks, _) = bytes.as_chunks::<2>();
    out.extend(
        chunks
            .iter()
            .map(|&chunk| bf16::from_le_bytes(chunk).to_f32()),
    );
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
        encode(&row, &mut stored).unwrap();
        let words: Vec<u16> = stored
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&pair| u16::from_le_bytes(pair))
            .collect();
        assert_eq!(words, [0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x8000, 0]);
        let refused = encode(&[1.0, f32::MAX], &mut stored);
        let value = f32::MAX;
        assert_eq!(refused, Err(RowError::OutOfRange { column: 1, value }));
    }
}
