//! The file-wide choices of types, by the names of `llama-quantize`.

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

/// A file-wide choice of types. `mixture.rs` says which matrices become something else than the ordinary ones.
#[allow(
    missing_docs,
    reason = "the names are llama.cpp's own; the table has what they stand for"
)]
#[allow(non_camel_case_types, reason = "written as llama.cpp writes them")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recipe {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q6_K,
    Q5_K_M,
    Q5_K_S,
    Q5_1,
    Q5_0,
    Q4_K_M,
    Q4_K_S,
    Q4_1,
    Q4_0,
    Q3_K_L,
    Q3_K_M,
    Q3_K_S,
    Q2_K,
    Q2_K_S,
}

/// One row of the table: the recipe, its name on the command line, the type of an ordinary matrix, and
/// `general.file_type`, the number of llama.cpp's `enum llama_ftype`.
struct Row(Recipe, &'static str, TensorType, u32);

/// In the order of the enum, so that a recipe is its own index.
const TABLE: [Row; 18] = [
    Row(Recipe::F32, "f32", TensorType::F32, 0),
    Row(Recipe::F16, "f16", TensorType::F16, 1),
    Row(Recipe::Bf16, "bf16", TensorType::BF16, 32),
    Row(Recipe::Q8_0, "q8_0", TensorType::Q8_0, 7),
    Row(Recipe::Q6_K, "q6_k", TensorType::Q6_K, 18),
    Row(Recipe::Q5_K_M, "q5_k_m", TensorType::Q5_K, 17),
    Row(Recipe::Q5_K_S, "q5_k_s", TensorType::Q5_K, 16),
    Row(Recipe::Q5_1, "q5_1", TensorType::Q5_1, 9),
    Row(Recipe::Q5_0, "q5_0", TensorType::Q5_0, 8),
    Row(Recipe::Q4_K_M, "q4_k_m", TensorType::Q4_K, 15),
    Row(Recipe::Q4_K_S, "q4_k_s", TensorType::Q4_K, 14),
    Row(Recipe::Q4_1, "q4_1", TensorType::Q4_1, 3),
    Row(Recipe::Q4_0, "q4_0", TensorType::Q4_0, 2),
    Row(Recipe::Q3_K_L, "q3_k_l", TensorType::Q3_K, 13),
    Row(Recipe::Q3_K_M, "q3_k_m", TensorType::Q3_K, 12),
    Row(Recipe::Q3_K_S, "q3_k_s", TensorType::Q3_K, 11),
    Row(Recipe::Q2_K, "q2_k", TensorType::Q2_K, 10),
    Row(Recipe::Q2_K_S, "q2_k_s", TensorType::Q2_K, 21),
];

/// Short names that `llama-quantize` knows too.
const ALIASES: [(&str, Recipe); 3] = [
    ("q3_k", Recipe::Q3_K_M),
    ("q4_k", Recipe::Q4_K_M),
    ("q5_k", Recipe::Q5_K_M),
];

impl Recipe {
    /// All recipes, the most exact first.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::F32; TABLE.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = TABLE[at].0;
            at += 1;
        }
        all
    };

    /// The name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The type of an ordinary matrix.
    #[must_use]
    pub const fn matrix_type(self) -> TensorType {
        TABLE[self as usize].2
    }

    /// `general.file_type`, the number of llama.cpp's `enum llama_ftype`.
    #[must_use]
    pub const fn file_type(self) -> u32 {
        TABLE[self as usize].3
    }
}

impl FromStr for Recipe {
    type Err = String;

    /// Reads a name in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let names = Self::ALL.into_iter().map(|recipe| (recipe.name(), recipe));
        names
            .chain(ALIASES)
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, recipe)| recipe)
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
    fn a_recipe_is_its_own_index_and_is_found_by_its_name() {
        for (index, recipe) in Recipe::ALL.into_iter().enumerate() {
            assert_eq!(recipe as usize, index);
            assert_eq!(recipe.name().to_uppercase().parse(), Ok(recipe));
        }
        assert_eq!("Q4_K".parse(), Ok(Recipe::Q4_K_M));
        let unknown = "iq4_xs".parse::<Recipe>().unwrap_err();
        assert!(unknown.contains("iq4_xs") && unknown.contains("q4_k_m"));
    }
}
