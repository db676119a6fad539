//! The architectures of the network: Llama's, and what Qwen's do otherwise between a product and the attention.

use serde::{Deserialize, Serialize};

/// What the blocks of a network hold beside their matrices and their two norms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Nothing.
    #[default]
    Llama,
    /// Qwen2 and Qwen2.5: biases on queries, keys and values.
    Qwen2,
    /// Qwen3: a norm over every head of the queries and of the keys, before they turn.
    Qwen3,
}

impl Architecture {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Llama, Self::Qwen2, Self::Qwen3];

    /// `model_type` in `config.json`.
    #[must_use]
    pub const fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// Its class in transformers.
    #[must_use]
    pub const fn class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }

    /// Whether queries, keys and values have biases.
    #[must_use]
    pub const fn has_biases(self) -> bool {
        matches!(self, Self::Qwen2)
    }

    /// Whether the heads of queries and keys have norms.
    #[must_use]
    pub const fn has_head_norms(self) -> bool {
        matches!(self, Self::Qwen3)
    }

    /// Whether this is Llama's, which settings need not say.
    pub(super) fn is_llama(&self) -> bool {
        *self == Self::Llama
    }
}
