//! The Llama architecture as a table: which tensor of a Hugging Face checkpoint becomes which tensor of the GGUF.
//!
//! Another architecture is another table (and, at most, another [`RowOrder`]).

use crate::quantize::TensorRole;
use crate::source::ModelConfig;

use Dimension::{Hidden, Intermediate, KeyValues, Queries, Vocabulary};
use RowOrder::{Interleaved, Kept};
use TensorRole::{Logits, Matrix, Vector};

/// `general.architecture`, and the prefix of the hyperparameter keys.
pub const LLAMA: &str = "llama";

/// A dimension, by what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// Width of the residual stream.
    Hidden,
    /// Width of the feed-forward layers.
    Intermediate,
    /// All query heads.
    Queries,
    /// All key or value heads.
    KeyValues,
    /// The vocabulary.
    Vocabulary,
}

impl Dimension {
    /// Its size under `config`.
    #[must_use]
    pub const fn size(self, config: &ModelConfig) -> usize {
        match self {
            Self::Hidden => config.hidden,
            Self::Intermediate => config.intermediate,
            Self::Queries => config.heads * config.head_dim,
            Self::KeyValues => config.kv_heads * config.head_dim,
            Self::Vocabulary => config.vocab,
        }
    }
}

/// Where row `r` of the GGUF tensor stands in the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOrder {
    /// At `r`.
    Kept,
    /// Rotary pairs: Hugging Face keeps the two halves of a head apart, llama.cpp's Llama puts partners side by side.
    Interleaved,
}

impl RowOrder {
    /// The row of the checkpoint that becomes row `row`. With heads of `head_dim` rows, row `2 j + i` of a head is
    /// taken from row `i * head_dim / 2 + j` (`LlamaModel.permute` of `convert_hf_to_gguf.py`).
    #[must_use]
    pub const fn source_row(self, row: usize, head_dim: usize) -> usize {
        match self {
            Self::Kept => row,
            Self::Interleaved => {
                let within = row % head_dim;
                row - within + (within % 2) * (head_dim / 2) + within / 2
            }
        }
    }
}

/// One line of the table. `{}` in a name is the layer.
#[derive(Debug, Clone, Copy)]
pub struct TensorRule {
    /// Name in the checkpoint.
    pub source: &'static str,
    /// Name in the GGUF.
    pub target: &'static str,
    /// Rows first.
    pub shape: &'static [Dimension],
    /// How the rows are ordered.
    pub order: RowOrder,
    /// What it is for.
    pub role: TensorRole,
}

const fn rule(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dimension],
    order: RowOrder,
    role: TensorRole,
) -> TensorRule {
    TensorRule {
        source,
        target,
        shape,
        order,
        role,
    }
}

/// The embedding. Where it is tied to the output it makes the logits too.
pub const EMBEDDING: TensorRule = rule(
    "model.embed_tokens.weight",
    "token_embd.weight",
    &[Vocabulary, Hidden],
    Kept,
    Matrix,
);

/// The output, absent where the embedding is tied (llama.cpp then takes the embedding).
pub const OUTPUT: TensorRule = rule(
    "lm_head.weight",
    "output.weight",
    &[Vocabulary, Hidden],
    Kept,
    Logits,
);

/// The norm before the output.
pub const FINAL_NORM: TensorRule = rule(
    "model.norm.weight",
    "output_norm.weight",
    &[Hidden],
    Kept,
    Vector,
);

/// Every layer, in the order of the file.
#[rustfmt::skip]
pub const LAYER: &[TensorRule] = &[
    rule("model.layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight", &[Hidden], Kept, Vector),
    rule("model.layers.{}.self_attn.q_proj.weight", "blk.{}.attn_q.weight", &[Queries, Hidden], Interleaved, Matrix),
    rule("model.layers.{}.self_attn.k_proj.weight", "blk.{}.attn_k.weight", &[KeyValues, Hidden], Interleaved, Matrix),
    rule("model.layers.{}.self_attn.v_proj.weight", "blk.{}.attn_v.weight", &[KeyValues, Hidden], Kept, Matrix),
    rule("model.layers.{}.self_attn.o_proj.weight", "blk.{}.attn_output.weight", &[Hidden, Queries], Kept, Matrix),
    rule("model.layers.{}.post_attention_layernorm.weight", "blk.{}.ffn_norm.weight", &[Hidden], Kept, Vector),
    rule("model.layers.{}.mlp.gate_proj.weight", "blk.{}.ffn_gate.weight", &[Intermediate, Hidden], Kept, Matrix),
    rule("model.layers.{}.mlp.up_proj.weight", "blk.{}.ffn_up.weight", &[Intermediate, Hidden], Kept, Matrix),
    rule("model.layers.{}.mlp.down_proj.weight", "blk.{}.ffn_down.weight", &[Hidden, Intermediate], Kept, Matrix),
];

/// Suffix of buffers that old checkpoints hold and that are computed from the configuration.
pub const COMPUTED_SUFFIX: &str = ".rotary_emb.inv_freq";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotary_partners_stand_side_by_side() {
        // Two heads of six rows, as numpy's reshape(2, 2, 3).swapaxes(1, 2) orders them.
        let rows: Vec<usize> = (0..12).map(|row| Interleaved.source_row(row, 6)).collect();
        assert_eq!(rows, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        assert_eq!(Kept.source_row(7, 6), 7);
    }
}
