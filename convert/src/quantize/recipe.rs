//! Which tensor gets which type: the one place that decides it.

use std::fmt;
use std::str::FromStr;

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
    /// Matrices in 16 bits, with the range of 32.
    Bf16,
    /// Matrices in 8.5 bits.
    Q8_0,
    /// Matrices in 6 bits, logits in 8.5.
    Q5_1,
    /// Matrices in 5.5 bits, logits in 8.5.
    Q5_0,
    /// Matrices in 5 bits, logits in 8.5.
    Q4_1,
    /// Matrices in 4.5 bits, logits in 8.5.
    Q4_0,
}

impl Recipe {
    /// All recipes.
    pub const ALL: [Self; 8] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Q8_0,
        Self::Q5_1,
        Self::Q5_0,
        Self::Q4_1,
        Self::Q4_0,
    ];

    /// The type of a tensor whose rows have `columns` weights.
    ///
    /// - Vectors stay `F32`, as in llama.cpp.
    /// - Under the types below `Q8_0` the logits are `Q8_0`. `llama-quantize` makes them `Q6_K` when a row is a multiple
    ///   of 256 and `Q8_0` otherwise; there are no k-quants here yet, so it is always the larger and more exact one.
    /// - Rows that do not divide into blocks fall back as [`fitting`](Self::fitting) says.
    #[must_use]
    pub fn tensor_type(self, role: TensorRole, columns: u64) -> TensorType {
        let wanted = match (self.matrix_type(), role) {
            (TensorType::F32, _) | (_, TensorRole::Vector) => TensorType::F32,
            (TensorType::F16, _) => TensorType::F16,
            (TensorType::BF16, _) => TensorType::BF16,
            (_, TensorRole::Logits) => TensorType::Q8_0,
            (kind, TensorRole::Matrix) => kind,
        };
        Self::fitting(wanted, columns)
    }

    /// `wanted`, or `F16` where a row of `columns` weights is not a whole number of its blocks, as in `llama-quantize`.
    #[must_use]
    pub fn fitting(wanted: TensorType, columns: u64) -> TensorType {
        if columns.is_multiple_of(wanted.block_len()) {
            wanted
        } else {
            TensorType::F16
        }
    }

    /// The type of an ordinary matrix.
    #[must_use]
    pub const fn matrix_type(self) -> TensorType {
        match self {
            Self::F32 => TensorType::F32,
            Self::F16 => TensorType::F16,
            Self::Bf16 => TensorType::BF16,
            Self::Q8_0 => TensorType::Q8_0,
            Self::Q5_1 => TensorType::Q5_1,
            Self::Q5_0 => TensorType::Q5_0,
            Self::Q4_1 => TensorType::Q4_1,
            Self::Q4_0 => TensorType::Q4_0,
        }
    }

    /// `general.file_type`, the number of llama.cpp's `enum llama_ftype`.
    #[must_use]
    pub const fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q4_0 => 2,
            Self::Q4_1 => 3,
            Self::Q8_0 => 7,
            Self::Q5_0 => 8,
            Self::Q5_1 => 9,
            Self::Bf16 => 32,
        }
    }

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Q8_0 => "q8_0",
            Self::Q5_1 => "q5_1",
            Self::Q5_0 => "q5_0",
            Self::Q4_1 => "q4_1",
            Self::Q4_0 => "q4_0",
        }
    }
}

impl FromStr for Recipe {
    type Err = String;

    /// Reads a name in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|recipe| recipe.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                format!("no type is called {name:?}; {known} are known")
            })
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
            assert_eq!(recipe.name().to_uppercase().parse::<Recipe>(), Ok(recipe));
        }
        assert_eq!(kind(Recipe::Q4_0, TensorRole::Matrix, 64), TensorType::Q4_0);
        assert_eq!(kind(Recipe::Q4_0, TensorRole::Logits, 64), TensorType::Q8_0);
        assert_eq!(kind(Recipe::Q4_0, TensorRole::Matrix, 48), TensorType::F16);
        assert_eq!(kind(Recipe::Q5_1, TensorRole::Matrix, 64), TensorType::Q5_1);
        assert_eq!(kind(Recipe::Q5_0, TensorRole::Logits, 64), TensorType::Q8_0);
        assert_eq!(kind(Recipe::Q5_0, TensorRole::Logits, 33), TensorType::F16);
        assert_eq!(kind(Recipe::Q4_1, TensorRole::Matrix, 33), TensorType::F16);
        assert_eq!(kind(Recipe::Bf16, TensorRole::Logits, 33), TensorType::BF16);
        assert_eq!(kind(Recipe::Q8_0, TensorRole::Logits, 33), TensorType::F16);
        assert_eq!(kind(Recipe::F16, TensorRole::Matrix, 33), TensorType::F16);
        assert_eq!(kind(Recipe::F32, TensorRole::Logits, 33), TensorType::F32);
    }
}
