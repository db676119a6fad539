//! Which tensor gets which type: the one place that decides it.

use std::fmt;

use super::BLOCK;
use crate::gguf::TensorType;

/// What a tensor is for, as far as the choice of its type goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorRole {
    /// A vector (a norm).
    Vector,
    /// An ordinary matrix.
    Matrix,
    /// The matrix that makes the logits: the output, or the embedding where the two are tied.
    Logits,
}

/// A file-wide choice of types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recipe {
    /// Everything in 32 bits.
    F32,
    /// Matrices in 16 bits.
    F16,
    /// Matrices in 8.5 bits.
    Q8_0,
    /// Matrices in 4.5 bits, logits in 8.5.
    Q4_0,
}

impl Recipe {
    /// All recipes.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Q8_0, Self::Q4_0];

    /// The type of a tensor whose rows have `columns` weights.
    ///
    /// - Vectors stay `F32`, as in llama.cpp.
    /// - Under `Q4_0` the logits are `Q8_0`. `llama-quantize` makes them `Q6_K` when a row is a multiple of 256
    ///   and `Q8_0` otherwise; there are no k-quants here yet, so it is always the larger and more exact one.
    /// - Rows that do not divide into blocks of 32 fall back to `F16`, as in `llama-quantize`.
    #[must_use]
    pub fn tensor_type(self, role: TensorRole, columns: u64) -> TensorType {
        let wanted = match (self, role) {
            (Self::F32, _) | (_, TensorRole::Vector) => return TensorType::F32,
            (Self::F16, _) => return TensorType::F16,
            (Self::Q8_0, _) | (Self::Q4_0, TensorRole::Logits) => TensorType::Q8_0,
            (Self::Q4_0, TensorRole::Matrix) => TensorType::Q4_0,
        };
        if columns.is_multiple_of(BLOCK as u64) {
            wanted
        } else {
            TensorType::F16
        }
    }

    /// `general.file_type`, the number of llama.cpp's `enum llama_ftype`.
    #[must_use]
    pub const fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q8_0 => 7,
        }
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q4_0 => "q4_0",
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_follow_the_stated_rules() {
        let kind = |recipe: Recipe, role, columns| recipe.tensor_type(role, columns);
        for recipe in Recipe::ALL {
            assert_eq!(kind(recipe, TensorRole::Vector, 64), TensorType::F32);
        }
        assert_eq!(kind(Recipe::Q4_0, TensorRole::Matrix, 64), TensorType::Q4_0);
        assert_eq!(kind(Recipe::Q4_0, TensorRole::Logits, 64), TensorType::Q8_0);
        assert_eq!(kind(Recipe::Q4_0, TensorRole::Matrix, 48), TensorType::F16);
        assert_eq!(kind(Recipe::Q8_0, TensorRole::Logits, 33), TensorType::F16);
        assert_eq!(kind(Recipe::F16, TensorRole::Matrix, 33), TensorType::F16);
        assert_eq!(kind(Recipe::F32, TensorRole::Logits, 33), TensorType::F32);
    }
}
