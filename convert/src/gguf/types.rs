//! The tensor types of ggml: number in the file, name, and how many bytes hold how many weights.

use std::fmt;
use std::str::FromStr;

/// How a tensor is stored. The numbers are those of `enum ggml_type`; types that ggml removed are absent.
#[allow(
    missing_docs,
    reason = "the names are ggml's own; `Display` prints them as llama.cpp does"
)]
#[allow(non_camel_case_types, reason = "written as ggml writes them")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TensorType {
    F32,
    F16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_K,
    IQ2_XXS,
    IQ2_XS,
    IQ3_XXS,
    IQ1_S,
    IQ4_NL,
    IQ3_S,
    IQ2_S,
    IQ4_XS,
    I8,
    I16,
    I32,
    I64,
    F64,
    IQ1_M,
    BF16,
    TQ1_0,
    TQ2_0,
    MXFP4,
}

/// One row of the table: the type, its number, its name, weights per block, bytes per block.
struct Layout(TensorType, u32, &'static str, u64, u64);

/// In the order of the enum, so that a type is its own index.
const TABLE: &[Layout] = &[
    Layout(TensorType::F32, 0, "F32", 1, 4),
    Layout(TensorType::F16, 1, "F16", 1, 2),
    Layout(TensorType::Q4_0, 2, "Q4_0", 32, 18),
    Layout(TensorType::Q4_1, 3, "Q4_1", 32, 20),
    Layout(TensorType::Q5_0, 6, "Q5_0", 32, 22),
    Layout(TensorType::Q5_1, 7, "Q5_1", 32, 24),
    Layout(TensorType::Q8_0, 8, "Q8_0", 32, 34),
    Layout(TensorType::Q8_1, 9, "Q8_1", 32, 36),
    Layout(TensorType::Q2_K, 10, "Q2_K", 256, 84),
    Layout(TensorType::Q3_K, 11, "Q3_K", 256, 110),
    Layout(TensorType::Q4_K, 12, "Q4_K", 256, 144),
    Layout(TensorType::Q5_K, 13, "Q5_K", 256, 176),
    Layout(TensorType::Q6_K, 14, "Q6_K", 256, 210),
    Layout(TensorType::Q8_K, 15, "Q8_K", 256, 292),
    Layout(TensorType::IQ2_XXS, 16, "IQ2_XXS", 256, 66),
    Layout(TensorType::IQ2_XS, 17, "IQ2_XS", 256, 74),
    Layout(TensorType::IQ3_XXS, 18, "IQ3_XXS", 256, 98),
    Layout(TensorType::IQ1_S, 19, "IQ1_S", 256, 50),
    Layout(TensorType::IQ4_NL, 20, "IQ4_NL", 32, 18),
    Layout(TensorType::IQ3_S, 21, "IQ3_S", 256, 110),
    Layout(TensorType::IQ2_S, 22, "IQ2_S", 256, 82),
    Layout(TensorType::IQ4_XS, 23, "IQ4_XS", 256, 136),
    Layout(TensorType::I8, 24, "I8", 1, 1),
    Layout(TensorType::I16, 25, "I16", 1, 2),
    Layout(TensorType::I32, 26, "I32", 1, 4),
    Layout(TensorType::I64, 27, "I64", 1, 8),
    Layout(TensorType::F64, 28, "F64", 1, 8),
    Layout(TensorType::IQ1_M, 29, "IQ1_M", 256, 56),
    Layout(TensorType::BF16, 30, "BF16", 1, 2),
    Layout(TensorType::TQ1_0, 34, "TQ1_0", 256, 54),
    Layout(TensorType::TQ2_0, 35, "TQ2_0", 256, 66),
    Layout(TensorType::MXFP4, 39, "MXFP4", 32, 17),
];

impl TensorType {
    /// The type with this number, if ggml still has one.
    #[must_use]
    pub fn from_id(id: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == id).map(|row| row.0)
    }

    /// The number in the file.
    #[must_use]
    pub fn id(self) -> u32 {
        self.layout().1
    }

    /// The name, as llama.cpp prints it in capitals.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.layout().2
    }

    /// Weights per block; a row holds whole blocks.
    #[must_use]
    pub fn block_len(self) -> u64 {
        self.layout().3
    }

    /// Several weights share a scale. Floating-point and whole numbers are not quantized.
    #[must_use]
    pub fn is_quantized(self) -> bool {
        self.block_len() > 1
    }

    /// Bytes per block.
    #[must_use]
    pub fn block_bytes(self) -> u64 {
        self.layout().4
    }

    /// Bytes of a tensor of `rows` rows of `columns` weights. `None` when a row is not a whole number of blocks
    /// or the size does not fit in 64 bits.
    #[must_use]
    pub fn tensor_bytes(self, columns: u64, rows: u64) -> Option<u64> {
        if !columns.is_multiple_of(self.block_len()) {
            return None;
        }
        (columns / self.block_len())
            .checked_mul(self.block_bytes())?
            .checked_mul(rows)
    }

    fn layout(self) -> &'static Layout {
        &TABLE[self as usize]
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TensorType {
    type Err = String;

    /// Reads a name in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        TABLE
            .iter()
            .find(|row| row.2.eq_ignore_ascii_case(name))
            .map(|row| row.0)
            .ok_or_else(|| format!("no tensor type is called {name:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.0 as usize, index, "{}", row.2);
            assert_eq!(TensorType::from_id(row.1), Some(row.0));
            assert_eq!(row.2.to_lowercase().parse::<TensorType>(), Ok(row.0));
        }
        assert_eq!(TABLE.len(), TensorType::MXFP4 as usize + 1);
    }

    #[test]
    fn sizes_count_whole_blocks() {
        assert_eq!(TensorType::Q8_0.tensor_bytes(64, 3), Some(204));
        assert_eq!(TensorType::Q4_0.tensor_bytes(33, 1), None);
        assert_eq!(TensorType::F32.tensor_bytes(u64::MAX, 2), None);
    }
}
