//! Sizes of a network, as TOML settings and as Hugging Face `config.json`.

use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
use crate::kernels::attention::Heads;

/// Sizes and constants of the architecture. The vocabulary is the tokenizer's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelShape {
    /// Width of the residual stream. Default 192.
    pub hidden: usize,
    /// Decoder blocks. Default 5.
    pub layers: usize,
    /// Query heads; `hidden / heads` is the head size and must be even. Default 6.
    pub heads: usize,
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
            hidden: 192,
            layers: 5,
            heads: 6,
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
        if !self.hidden.is_multiple_of(self.heads) || !(self.hidden / self.heads).is_multiple_of(2)
        {
            return refuse(
                "model.heads",
                format!(
                    "hidden / heads must be an even whole number, got {} / {}",
                    self.hidden, self.heads
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
            dim: self.hidden / self.heads,
        }
    }
}

/// The Hugging Face `LlamaConfig` fields of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HfConfig {
    /// Always `LlamaForCausalLM`.
    pub architectures: Vec<String>,
    /// Always `llama`.
    pub model_type: String,
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
            architectures: vec!["LlamaForCausalLM".into()],
            model_type: "llama".into(),
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
        ModelShape {
            hidden: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
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
        ModelShape::default().validate().unwrap();
    }

    #[test]
    fn hugging_face_and_back() {
        let shape = ModelShape::default();
        assert_eq!(HfConfig::new(&shape, 1536, 0, 1).shape(), shape);
    }
}
