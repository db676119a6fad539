//! The choice of types for one file: a recipe, and overrides for single tensors by name.

use std::fmt;
use std::str::FromStr;

use regex::Regex;

use super::{Recipe, TensorRole};
use crate::gguf::TensorType;

/// Bytes of a pattern at most.
const MOST_PATTERN: usize = 1024;

/// `PATTERN=TYPE`: matrices whose GGUF name matches get this type.
#[derive(Debug, Clone)]
pub struct TypeOverride {
    pattern: Regex,
    kind: TensorType,
}

/// An override that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeChoiceError {
    /// Not `PATTERN=TYPE`.
    #[error("{0:?} is not PATTERN=TYPE, for example ffn_down=q8_0")]
    Form(String),
    /// A type that is not written.
    #[error("{0}")]
    Type(String),
    /// The pattern is no regular expression, or too long.
    #[error("the pattern {pattern:?} is not usable: {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        problem: String,
    },
    /// The pattern matches no matrix of the model.
    #[error(
        "the pattern {0:?} matches no matrix (names are those of the GGUF, such as blk.0.ffn_down.weight; vectors stay f32)"
    )]
    NoMatch(String),
}

impl FromStr for TypeOverride {
    type Err = TypeChoiceError;

    /// Reads `PATTERN=TYPE`. The pattern is a regular expression that may match anywhere in the name, as in
    /// `llama-quantize --tensor-type`; so a plain part of a name, such as `ffn_down` or `blk.0.`, is one too.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A type has no equals sign; a pattern may.
        let (pattern, kind) = text
            .rsplit_once('=')
            .filter(|(pattern, _)| !pattern.is_empty())
            .ok_or_else(|| TypeChoiceError::Form(text.to_owned()))?;
        let recipe: Recipe = kind.parse().map_err(TypeChoiceError::Type)?;
        let refuse = |problem: String| TypeChoiceError::Pattern {
            pattern: pattern.chars().take(80).collect(),
            problem,
        };
        if pattern.len() > MOST_PATTERN {
            return Err(refuse(format!("it has more than {MOST_PATTERN} bytes")));
        }
        Ok(Self {
            pattern: Regex::new(pattern).map_err(|error| refuse(error.to_string()))?,
            kind: recipe.matrix_type(),
        })
    }
}

impl fmt::Display for TypeOverride {
    /// As it is read, the type in small letters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.pattern, self.kind.name().to_lowercase())
    }
}

/// The types of one file.
#[derive(Debug, Clone)]
pub struct TypeChoice {
    /// What holds where no override does.
    pub recipe: Recipe,
    /// The first that matches wins.
    pub overrides: Vec<TypeOverride>,
}

impl From<Recipe> for TypeChoice {
    fn from(recipe: Recipe) -> Self {
        Self {
            recipe,
            overrides: Vec::new(),
        }
    }
}

impl TypeChoice {
    /// The type of the tensor `name`, whose rows have `columns` weights: the first override that matches, else the
    /// recipe's; vectors stay `F32`, and rows that do not divide into blocks fall back either way.
    #[must_use]
    pub fn tensor_type(&self, name: &str, role: TensorRole, columns: u64) -> TensorType {
        let matching = |other: &&TypeOverride| other.pattern.is_match(name);
        match self.overrides.iter().find(matching) {
            Some(found) if role != TensorRole::Vector => Recipe::fitting(found.kind, columns),
            _ => self.recipe.tensor_type(role, columns),
        }
    }

    /// Refuses an override that matches none of `matrices`: most likely a slip of the keyboard.
    ///
    /// # Errors
    ///
    /// Names the first such override.
    pub fn check_used(&self, matrices: &[&str]) -> Result<(), TypeChoiceError> {
        let unused =
            |other: &&TypeOverride| !matrices.iter().any(|name| other.pattern.is_match(name));
        match self.overrides.iter().find(unused) {
            None => Ok(()),
            Some(other) => Err(TypeChoiceError::NoMatch(other.pattern.as_str().to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(overrides: &[&str]) -> TypeChoice {
        TypeChoice {
            recipe: Recipe::Q4_0,
            overrides: overrides.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn the_first_match_wins_and_vectors_stay() {
        let choice = choice(&[r"blk\.(0|1)\.ffn_down=Q8_0", "ffn_=q5_1", "norm=q4_0"]);
        let kind = |name, role, columns| choice.tensor_type(name, role, columns);
        let matrix = TensorRole::Matrix;
        assert_eq!(kind("blk.1.ffn_down.weight", matrix, 64), TensorType::Q8_0);
        assert_eq!(kind("blk.2.ffn_down.weight", matrix, 64), TensorType::Q5_1);
        assert_eq!(kind("blk.2.ffn_down.weight", matrix, 48), TensorType::F16);
        assert_eq!(kind("blk.2.attn_q.weight", matrix, 64), TensorType::Q4_0);
        let vector = TensorRole::Vector;
        assert_eq!(kind("blk.2.ffn_norm.weight", vector, 64), TensorType::F32);
        let unused = TypeChoiceError::NoMatch("norm".to_owned());
        assert_eq!(choice.check_used(&["blk.0.ffn_down.weight"]), Err(unused));
    }

    #[test]
    fn what_is_no_override_is_refused() {
        let refusal = |text: &str| text.parse::<TypeOverride>().unwrap_err().to_string();
        assert!(refusal("ffn_down").contains("PATTERN=TYPE"));
        assert!(refusal("=q8_0").contains("PATTERN=TYPE"));
        assert!(refusal("ffn_down=iq4_xs").contains("iq4_xs"));
        assert!(refusal("ffn_(=q8_0").contains("ffn_("));
        assert!(refusal(&format!("{}=q8_0", "a".repeat(2000))).contains("1024"));
    }
}
