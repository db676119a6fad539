//! Architectures as tables: which tensor of a Hugging Face checkpoint becomes which tensor of the GGUF, and which keys
//! say how large the network is.
//!
//! Another architecture is another [`Architecture`] in [`ALL`] (and, at most, another [`RowOrder`]). Names and keys are
//! those of llama.cpp's `convert_hf_to_gguf.py` and `docs/gguf.md`.

mod tables;

pub use tables::{ALL, GEMMA2, GEMMA3, LLAMA, MISTRAL, PHI3, QWEN2, QWEN3};

use crate::quantize::TensorRole;
use crate::source::ModelConfig;
use crate::source::rope::ScalingKind;

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
    /// One head.
    Head,
    /// The vocabulary.
    Vocabulary,
    /// Queries, keys and values in one matrix.
    QueriesKeysValues,
    /// The gate and the way up of the feed-forward layers in one matrix.
    GateAndUp,
    /// Rotary partners in a head.
    RotaryPairs,
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
            Self::Head => config.head_dim,
            Self::Vocabulary => config.vocab,
            Self::QueriesKeysValues => (config.heads + 2 * config.kv_heads) * config.head_dim,
            Self::GateAndUp => 2 * config.intermediate,
            Self::RotaryPairs => config.rotary / 2,
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

impl RowOrder {
    /// The row of the GGUF tensor that row `row` of the checkpoint becomes: the inverse of
    /// [`source_row`](Self::source_row).
    #[must_use]
    pub const fn target_row(self, row: usize, head_dim: usize) -> usize {
        match self {
            Self::Kept => row,
            Self::Interleaved => {
                let (within, half) = (row % head_dim, head_dim / 2);
                row - within + 2 * (within % half) + within / half
            }
        }
    }
}

/// One line of a table. `{}` in a name is the layer.
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
    /// What is added to every weight: 1 for the norms of Gemma, which transformers keeps less one.
    pub offset: f32,
    /// What it is for.
    pub role: TensorRole,
}

/// A [`TensorRule`] for one layer; rules without a layer have `{}` in neither name.
#[derive(Debug, Clone, Copy)]
pub struct LayerRule {
    /// The line of the table.
    pub rule: TensorRule,
    layer: usize,
}

impl LayerRule {
    /// Name in the checkpoint.
    #[must_use]
    pub fn source(&self) -> String {
        self.rule.source.replace("{}", &self.layer.to_string())
    }

    /// Name in the GGUF.
    #[must_use]
    pub fn target(&self) -> String {
        self.rule.target.replace("{}", &self.layer.to_string())
    }

    /// Rows first.
    #[must_use]
    pub fn shape(&self, config: &ModelConfig) -> Vec<usize> {
        let sizes = self.rule.shape.iter();
        sizes.map(|size| size.size(config)).collect()
    }
}

/// A hyperparameter key after `general.architecture` and a dot, and its number; `None` leaves the key out.
pub type SizeKey = (&'static str, fn(&ModelConfig) -> Option<usize>);

/// A hyperparameter key as [`SizeKey`], and a real number.
pub type RealKey = (&'static str, fn(&ModelConfig) -> Option<f32>);

/// A field of `config.json` that may be absent, by its name.
pub type StatedField = &'static str;

/// What `config.json` may say about attention that reaches back a limited number of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The class has no such setting; a field of that name is ignored, as transformers ignores it.
    Absent,
    /// `sliding_window`, where it is a number, holds for every layer.
    EveryLayer,
    /// `use_sliding_window` turns it on for some layers, which llama.cpp cannot do here: refused when on.
    Refused,
    /// `sliding_window` holds for all layers but each n-th, as `layer_types` or `sliding_window_pattern` says.
    AllButEach {
        /// The n of the class where the file does not say.
        usual: usize,
    },
}

/// What llama.cpp divides the products of queries and keys by, where the class lets `config.json` choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionScale {
    /// With this many layers it is the square root of `hidden_size` over the heads, else that of `head_dim`.
    pub wide_with_layers: usize,
}

/// Soft limits on products of queries and keys, and on logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoftCaps {
    /// The class has none.
    Absent,
    /// llama.cpp applies both always.
    Both,
    /// llama.cpp can limit the logits only.
    Logits,
}

/// All that the conversion knows about an architecture.
#[derive(Debug)]
pub struct Architecture {
    /// `model_type` in `config.json`.
    pub model_type: &'static str,
    /// Its class in transformers (`architectures` in `config.json`).
    pub class: &'static str,
    /// `general.architecture`, and the prefix of the hyperparameter keys.
    pub name: &'static str,
    /// The embedding. Where it is tied to the output it makes the logits too.
    pub embedding: TensorRule,
    /// Every layer, in the order of the file.
    pub layer: &'static [TensorRule],
    /// The norm before the output.
    pub final_norm: TensorRule,
    /// The output, absent where the embedding is tied (llama.cpp then takes the embedding).
    pub output: TensorRule,
    /// Keys that hold whole numbers, in the order of the file.
    pub sizes: &'static [SizeKey],
    /// Optional fields of `config.json` that must stand there, because the class has a default of its own for them.
    pub stated: &'static [StatedField],
    /// Keys that hold real numbers, in the order of the file.
    pub reals: &'static [RealKey],
    /// The field that names the activation, and the one activation that llama.cpp has for it.
    pub activation: (&'static str, &'static str),
    /// How positions may be scaled.
    pub scalings: &'static [ScalingKind],
    /// A second base of the rotary frequencies, for the layers that reach back a window.
    pub local_rope: bool,
    /// Part of a head may be rotated (`partial_rotary_factor`).
    pub partial_rotary: bool,
    /// The scale of attention, where it can be chosen.
    pub scale: Option<AttentionScale>,
    /// The soft limits.
    pub soft_caps: SoftCaps,
    /// The embedding makes the logits where the file does not say.
    pub usually_tied: bool,
    /// llama.cpp has no output matrix of its own for it.
    pub always_tied: bool,
    /// What `config.json` may say about a sliding window.
    pub window: Window,
    /// llama.cpp takes the width of all query heads to be that of the residual stream.
    pub square_queries: bool,
}

impl Architecture {
    /// The one that `config.json` calls `model_type`.
    #[must_use]
    pub fn of(model_type: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|other| other.model_type == model_type)
    }

    /// All tensors of a model, in the order of the file, with the layers that `config` has. An embedding that is tied to
    /// the output has its role.
    pub fn tensors(&'static self, config: &ModelConfig) -> impl Iterator<Item = LayerRule> {
        let mut embedding = self.embedding;
        if config.tied {
            embedding.role = TensorRole::Logits;
        }
        let once = |rule| LayerRule { rule, layer: 0 };
        let rules = self.layer.iter();
        let layers = (0..config.layers)
            .flat_map(move |layer| rules.clone().map(move |&rule| LayerRule { rule, layer }));
        let output = (!config.tied).then_some(self.output);
        std::iter::once(embedding)
            .map(once)
            .chain(layers)
            .chain(std::iter::once(self.final_norm).chain(output).map(once))
    }
}

impl PartialEq for Architecture {
    /// Each stands once in the table, under its `model_type`.
    fn eq(&self, other: &Self) -> bool {
        self.model_type == other.model_type
    }
}

/// The line of a tensor that is computed from the configuration, a factor for each rotary pair; it bears one name.
#[must_use]
pub const fn computed(name: &'static str) -> LayerRule {
    let rule = TensorRule {
        source: name,
        target: name,
        shape: &[Dimension::RotaryPairs],
        order: RowOrder::Kept,
        offset: 0.0,
        role: TensorRole::Vector,
    };
    LayerRule { rule, layer: 0 }
}

/// Suffix of buffers that old checkpoints hold and that are computed from the configuration.
pub const COMPUTED_SUFFIX: &str = ".rotary_emb.inv_freq";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rotary_partners_stand_side_by_side() {
        // Two heads of six rows, as numpy's reshape(2, 2, 3).swapaxes(1, 2) orders them.
        let order = RowOrder::Interleaved;
        let rows: Vec<usize> = (0..12).map(|row| order.source_row(row, 6)).collect();
        assert_eq!(rows, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
        assert_eq!(RowOrder::Kept.source_row(7, 6), 7);
        for order in [order, RowOrder::Kept] {
            assert!((0..12).all(|row| order.target_row(order.source_row(row, 6), 6) == row));
        }
    }

    #[test]
    fn every_name_stands_once_and_names_its_layer() {
        for architecture in ALL {
            let mut names = HashSet::new();
            for rule in architecture.layer {
                assert!(names.insert(rule.source) && names.insert(rule.target));
                assert!(rule.source.contains(".{}.") && rule.target.contains(".{}."));
            }
            let found = Architecture::of(architecture.model_type);
            assert_eq!(found, Some(architecture));
        }
        assert_eq!(Architecture::of("gemma3n_text"), None);
    }
}
