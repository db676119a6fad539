//! The choice of types for one file: a recipe, and overrides for single tensors by name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use regex::Regex;

use super::mixture::{self, Member, ModelShape};
use super::{ENCODED, Recipe};
use crate::gguf::TensorType;
use crate::importance::{ImportanceError, ImportanceMatrix};

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
    /// Two bits without an importance matrix.
    #[error(
        "under {recipe} the tensor {name:?} becomes {kind}, which is garbage without an importance matrix; give one \
         (--imatrix), or take q2_k"
    )]
    NeedsImportance {
        /// The recipe.
        recipe: Recipe,
        /// The tensor.
        name: String,
        /// Its type.
        kind: TensorType,
    },
    /// An importance matrix that does not fit the model.
    #[error(transparent)]
    Importance(#[from] ImportanceError),
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
        let known = |kind: &TensorType| ENCODED.contains(kind);
        let kind = kind.parse().ok().filter(known).ok_or_else(|| {
            let names = ENCODED.map(|kind| kind.name().to_lowercase()).join(", ");
            TypeChoiceError::Type(format!(
                "no type for a matrix is called {kind:?}; {names} are known"
            ))
        })?;
        let refuse = |problem: String| TypeChoiceError::Pattern {
            pattern: pattern.chars().take(80).collect(),
            problem,
        };
        if pattern.len() > MOST_PATTERN {
            return Err(refuse(format!("it has more than {MOST_PATTERN} bytes")));
        }
        Ok(Self {
            pattern: Regex::new(pattern).map_err(|error| refuse(error.to_string()))?,
            kind,
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
    /// What the scales of blocks are chosen by; it also moves some types.
    pub importance: Option<Arc<ImportanceMatrix>>,
}

impl From<Recipe> for TypeChoice {
    fn from(recipe: Recipe) -> Self {
        Self {
            recipe,
            overrides: Vec::new(),
            importance: None,
        }
    }
}

impl TypeChoice {
    /// The types of all tensors of a model, in their order: the first override that matches, else what the recipe gives
    /// by llama.cpp's rules. Vectors stay `F32`, and rows that do not divide into blocks fall back either way.
    ///
    /// # Errors
    ///
    /// When a tensor needs an importance matrix and there is none, or there is one of another model.
    pub fn assign(
        &self,
        model: &ModelShape<'_>,
        members: &[Member<'_>],
    ) -> Result<Vec<TensorType>, TypeChoiceError> {
        let kinds = mixture::assign(self, model, members);
        if let Some(importance) = &self.importance {
            importance.check(members)?;
        }
        let measured = |name| {
            self.importance
                .as_ref()
                .is_some_and(|matrix| matrix.of(name).is_some())
        };
        let looked_up = |name| matches!(name, "token_embd.weight" | "output.weight");
        for (member, &kind) in members.iter().zip(&kinds) {
            let needs = self.recipe == Recipe::Q2_K_S && kind == TensorType::Q2_K;
            if needs && !looked_up(member.name) && !measured(member.name) {
                return Err(TypeChoiceError::NeedsImportance {
                    recipe: self.recipe,
                    name: member.name.to_owned(),
                    kind,
                });
            }
        }
        Ok(kinds)
    }

    /// The type of the first override that matches the tensor `name`.
    pub(super) fn override_of(&self, name: &str) -> Option<TensorType> {
        let found = self
            .overrides
            .iter()
            .find(|other| other.pattern.is_match(name));
        found.map(|other| other.kind)
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
    use crate::quantize::TensorRole;

    #[test]
    fn the_first_match_wins_and_vectors_stay() {
        let overrides = [r"blk\.(0|1)\.ffn_down=Q8_0", "ffn_=q5_k", "norm=q4_0"];
        let choice = TypeChoice {
            overrides: overrides.iter().map(|text| text.parse().unwrap()).collect(),
            ..Recipe::Q4_0.into()
        };
        let member = |name, role, columns| Member {
            name,
            role,
            columns,
            slices: 1,
        };
        let members = [
            member("blk.1.ffn_down.weight", TensorRole::Matrix, 64),
            member("blk.2.ffn_down.weight", TensorRole::Matrix, 256),
            member("blk.3.ffn_down.weight", TensorRole::Matrix, 64),
            member("blk.4.ffn_down.weight", TensorRole::Matrix, 48),
            member("blk.2.attn_q.weight", TensorRole::Matrix, 64),
            member("blk.2.ffn_norm.weight", TensorRole::Vector, 64),
        ];
        let model = ModelShape {
            architecture: "llama",
            layers: 5,
            heads: 4,
            kv_heads: 2,
            experts: 0,
        };
        let kinds = [
            TensorType::Q8_0,
            TensorType::Q5_K,
            TensorType::Q5_1,
            TensorType::F16,
            TensorType::Q4_0,
            TensorType::F32,
        ];
        assert_eq!(choice.assign(&model, &members), Ok(kinds.to_vec()));
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
