//! Sizes of a network, as TOML settings and as Hugging Face `config.json`.

use serde::{Deserialize, Serialize};

use super::architecture::Architecture;
use crate::error::{Result, TrainError};
use crate::kernels::attention::Heads;

/// Sizes and constants of the architecture. The vocabulary is the tokenizer's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelShape {
    /// `llama`, `qwen2` or `qwen3`. Default `llama`, which is not written out: the settings of a run say what they always said.
    #[serde(skip_serializing_if = "Architecture::is_llama")]
    pub architecture: Architecture,
    /// Width of the residual stream. Default 192.
    pub hidden: usize,
    /// Decoder blocks. Default 5.
    pub layers: usize,
    /// Query heads. Default 6.
    pub heads: usize,
    /// Elements of a head, an even number. Default `hidden / heads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Key and value heads; divides `heads`. Default 6.
    pub kv_heads: usize,
    /// Width inside the feed-forward part. Default 512.
    pub ffn: usize,
    /// Base of the rotary embedding. Default 10,000.
    pub rope_theta: f64,
    /// Added to the mean square in RMSNorm. Default 1e-5.
    pub rms_norm_eps: f64,
    /// Longest sequence in tokens, frame and utterance together. Default 1024; longer samples are left out.
    pub max_positions: usize,
    /// The output matrix is the embedding. Default true.
    pub tie_embeddings: bool,
    /// Standard deviation of the initial weights. Default 0.04.
    pub init_std: f64,
}

impl Default for ModelShape {
    fn default() -> Self {
        Self {
            architecture: Architecture::Llama,
            hidden: 192,
            layers: 5,
            heads: 6,
            head_dim: None,
            kv_heads: 6,
            ffn: 512,
            rope_theta: 10_000.0,
            rms_norm_eps: 1e-5,
            max_positions: 1024,
            tie_embeddings: true,
            init_std: 0.04,
        }
    }
}

impl ModelShape {
    /// Refuses impossible sizes.
    ///
    /// # Errors
    /// Names the first setting that does not fit.
    pub fn validate(&self) -> Result<()> {
        let refuse = |field, reason: String| Err(TrainError::Config { field, reason });
        if self.hidden == 0 || self.layers == 0 || self.heads == 0 || self.ffn == 0 {
            return refuse(
                "model",
                "hidden, layers, heads and ffn must be positive".into(),
            );
        }
        match self.head_dim {
            None if !self.hidden.is_multiple_of(self.heads)
                || !(self.hidden / self.heads).is_multiple_of(2) =>
            {
                return refuse(
                    "model.heads",
                    format!(
                        "hidden / heads must be an even whole number, got {} / {}",
                        self.hidden, self.heads
                    ),
                );
            }
            Some(dim) if dim == 0 || !dim.is_multiple_of(2) => {
                return refuse("model.head_dim", format!("must be even, got {dim}"));
            }
            _ => {}
        }
        let width = self.attention().out_row();
        if self.architecture == Architecture::Qwen2 && width != self.hidden {
            return refuse(
                "model.head_dim",
                format!(
                    "the heads of a qwen2 must be as wide together as hidden = {}, or llama.cpp does not read it; they are {width}",
                    self.hidden
                ),
            );
        }
        if self.kv_heads == 0 || !self.heads.is_multiple_of(self.kv_heads) {
            return refuse(
                "model.kv_heads",
                format!("must divide heads = {}, got {}", self.heads, self.kv_heads),
            );
        }
        if self.max_positions < 2 {
            return refuse(
                "model.max_positions",
                format!("at least 2, got {}", self.max_positions),
            );
        }
        Ok(())
    }

    /// Head counts and size.
    #[must_use]
    pub const fn attention(&self) -> Heads {
        Heads {
            query: self.heads,
            key_value: self.kv_heads,
            dim: match self.head_dim {
                Some(dim) => dim,
                None => self.hidden / self.heads,
            },
        }
    }

    /// [`Self::head_dim`] for heads of `dim` elements: nothing where that goes without saying, so that equal networks have equal shapes.
    #[must_use]
    pub fn own_head_dim(hidden: usize, heads: usize, dim: usize) -> Option<usize> {
        (heads.checked_mul(dim) != Some(hidden)).then_some(dim)
    }
}

/// The fields of Hugging Face's `config.json` in a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HfConfig {
    /// Its class in transformers.
    pub architectures: Vec<String>,
    /// The architecture.
    pub model_type: Architecture,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward part.
    pub intermediate_size: usize,
    /// Decoder blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads.
    pub num_key_value_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Always `silu`.
    pub hidden_act: String,
    /// Added to the mean square in RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding.
    pub rope_theta: f64,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Longest sequence in tokens.
    pub max_position_embeddings: usize,
    /// The output matrix is the embedding.
    pub tie_word_embeddings: bool,
    /// Id of the marker that opens every frame.
    pub bos_token_id: u32,
    /// Id of the marker that ends every utterance.
    pub eos_token_id: u32,
    /// Always `float32`.
    pub torch_dtype: String,
}

impl HfConfig {
    /// The configuration of a network with this shape and vocabulary.
    #[must_use]
    pub fn new(shape: &ModelShape, vocab_size: usize, bos: u32, eos: u32) -> Self {
        Self {
            architectures: vec![shape.architecture.class().into()],
            model_type: shape.architecture,
            hidden_size: shape.hidden,
            intermediate_size: shape.ffn,
            num_hidden_layers: shape.layers,
            num_attention_heads: shape.heads,
            num_key_value_heads: shape.kv_heads,
            head_dim: shape.attention().dim,
            hidden_act: "silu".into(),
            rms_norm_eps: shape.rms_norm_eps,
            rope_theta: shape.rope_theta,
            vocab_size,
            max_position_embeddings: shape.max_positions,
            tie_word_embeddings: shape.tie_embeddings,
            bos_token_id: bos,
            eos_token_id: eos,
            torch_dtype: "float32".into(),
        }
    }

    /// The shape of the network that this configuration describes.
    #[must_use]
    pub fn shape(&self) -> ModelShape {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        ModelShape {
            architecture: self.model_type,
            hidden,
            layers: self.num_hidden_layers,
            heads,
            head_dim: ModelShape::own_head_dim(hidden, heads, self.head_dim),
            kv_heads: self.num_key_value_heads,
            ffn: self.intermediate_size,
            rope_theta: self.rope_theta,
            rms_norm_eps: self.rms_norm_eps,
            max_positions: self.max_position_embeddings,
            tie_embeddings: self.tie_word_embeddings,
            init_std: ModelShape::default().init_std,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_sizes_are_named() {
        let shape = ModelShape {
            kv_heads: 4,
            ..ModelShape::default()
        };
        assert!(
            shape
                .validate()
                .unwrap_err()
                .to_string()
                .contains("kv_heads")
        );
        let shape = ModelShape {
            heads: 5,
            ..ModelShape::default()
        };
        assert!(
            shape
                .validate()
                .unwrap_err()
                .to_string()
                .contains("model.heads")
        );
        let shape = ModelShape {
            head_dim: Some(21),
            ..ModelShape::default()
        };
        let text = shape.validate().unwrap_err().to_string();
        assert!(text.contains("model.head_dim"), "{text}");
        let shape = ModelShape {
            architecture: Architecture::Qwen2,
            head_dim: Some(64),
            ..ModelShape::default()
        };
        let text = shape.validate().unwrap_err().to_string();
        assert!(text.contains("model.head_dim"), "{text}");
        ModelShape::default().validate().unwrap();
    }

    #[test]
    fn hugging_face_and_back() {
        for architecture in Architecture::ALL {
            for head_dim in [None, Some(64)] {
                let shape = ModelShape {
                    architecture,
                    head_dim,
                    ..ModelShape::default()
                };
                let config = HfConfig::new(&shape, 1536, 0, 1);
                let text = serde_json::to_string(&config).unwrap();
                assert!(
                    text.contains(&format!("\"model_type\":\"{}\"", architecture.model_type()))
                );
                let read: HfConfig = serde_json::from_str(&text).unwrap();
                assert_eq!(read.shape(), shape);
            }
        }
    }

    /// Settings and checkpoints of the time when all networks were Llamas say the same, in the same bytes.
    #[test]
    fn a_llama_is_written_as_it_always_was() {
        let written = serde_json::to_string(&ModelShape::default()).unwrap();
        let always = "{\"hidden\":192,\"layers\":5,\"heads\":6,\"kv_heads\":6,\"ffn\":512,\"rope_theta\":10000.0,\
                      \"rms_norm_eps\":0.00001,\"max_positions\":1024,\"tie_embeddings\":true,\"init_std\":0.04}";
        assert_eq!(written.replace("1e-5", "0.00001"), always);
        assert_eq!(
            serde_json::from_str::<ModelShape>(always).unwrap(),
            ModelShape::default()
        );
    }
}
