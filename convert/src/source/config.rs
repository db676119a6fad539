//! `config.json`: the hyperparameters of a Hugging Face configuration of the Llama family, bounded and cross-checked.

mod attention;
mod check;

use std::path::Path;

use serde::Deserialize;

use super::SourceError;
use super::rope::{RawRope, Scaling};
use crate::architecture::{ALL, Architecture, LLAMA, Window};
use check::Check;

/// Name in the checkpoint directory.
pub const FILE: &str = "config.json";
/// Bytes at most.
pub const MOST_BYTES: u64 = 1 << 20;

const MOST_LAYERS: u64 = 1024;
const MOST_HEADS: u64 = 1024;
const MOST_WIDTH: u64 = 1 << 20;
const MOST_VOCABULARY: u64 = 1 << 22;
const MOST_CONTEXT: u64 = 1 << 26;

/// Hyperparameters of a decoder of the Llama family.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Its table.
    pub architecture: &'static Architecture,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layers.
    pub intermediate: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head; even.
    pub head_dim: usize,
    /// Rows of the embedding.
    pub vocab: usize,
    /// Positions that were trained.
    pub context: usize,
    /// Epsilon of the RMS norms.
    pub rms_eps: f32,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Base of the rotary frequencies in layers that reach back a window, where it is another.
    pub local_theta: Option<f32>,
    /// Rotated width of a head; even.
    pub rotary: usize,
    /// How positions are scaled.
    pub scaling: Scaling,
    /// Positions that attention reaches back, where it is limited.
    pub window: Option<usize>,
    /// Each n-th layer is not limited; 0 where all are.
    pub window_pattern: Option<usize>,
    /// Soft limit on products of queries and keys.
    pub attention_cap: Option<f32>,
    /// Soft limit on logits.
    pub logit_cap: Option<f32>,
    /// The embedding also makes the logits.
    pub tied: bool,
    /// Token that begins a text, where the file says so.
    pub bos: Option<u32>,
    /// Token that ends a text, where the file says so; the first where it lists several.
    pub eos: Option<u32>,
    /// Further tokens that end a text.
    pub other_eos: Vec<u32>,
}

/// The file as it stands. Fields that do not change what the network computes are ignored.
#[derive(Deserialize)]
struct RawConfig {
    model_type: Option<String>,
    hidden_size: u64,
    intermediate_size: u64,
    num_hidden_layers: u64,
    num_attention_heads: u64,
    num_key_value_heads: Option<u64>,
    head_dim: Option<u64>,
    vocab_size: u64,
    max_position_embeddings: u64,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<RawRope>,
    /// Where transformers 5 keeps theta and scaling.
    rope_parameters: Option<RawRope>,
    rope_local_base_freq: Option<f64>,
    partial_rotary_factor: Option<f64>,
    original_max_position_embeddings: Option<u64>,
    tie_word_embeddings: Option<bool>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<OneOrMany>,
    hidden_act: Option<String>,
    hidden_activation: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    sliding_window: Option<u64>,
    use_sliding_window: Option<bool>,
    sliding_window_pattern: Option<u64>,
    layer_types: Option<Vec<String>>,
    query_pre_attn_scalar: Option<f64>,
    attn_logit_softcapping: Option<f64>,
    final_logit_softcapping: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(u32),
    Many(Vec<u32>),
}

impl ModelConfig {
    /// Reads `bytes`, the content of `path` (which is only named in errors).
    ///
    /// # Errors
    ///
    /// When a field is absent, out of bounds, contradicts another, or asks for something that the architecture in
    /// llama.cpp, or this converter, does not have.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SourceError> {
        let raw: RawConfig = serde_json::from_slice(bytes).map_err(|source| SourceError::Json {
            path: path.to_owned(),
            source,
        })?;
        let check = Check { path };
        let architecture = raw.architecture(&check)?;
        raw.refuse_other_networks(architecture, &check)?;
        let (window, window_pattern) = raw.window(architecture, &check)?;
        let heads = check.within("num_attention_heads", raw.num_attention_heads, MOST_HEADS)?;
        let hidden = check.within("hidden_size", raw.hidden_size, MOST_WIDTH)?;
        let kv_heads = raw.num_key_value_heads.unwrap_or(raw.num_attention_heads);
        let kv_heads = check.within("num_key_value_heads", kv_heads, MOST_HEADS)?;
        if heads % kv_heads != 0 {
            let problem =
                format!("is {kv_heads}, which does not divide num_attention_heads {heads}");
            return Err(check.refuse("num_key_value_heads", problem));
        }
        if raw.head_dim.is_none() && hidden % heads != 0 {
            let problem = format!("is {heads}, which does not divide hidden_size {hidden}");
            return Err(check.refuse("num_attention_heads", problem));
        }
        let head_dim = raw.head_dim.unwrap_or((hidden / heads) as u64);
        let head_dim = check.within("head_dim", head_dim, MOST_WIDTH / MOST_HEADS)?;
        if head_dim % 2 != 0 {
            let problem = format!("is {head_dim}; rotary positions need an even width");
            return Err(check.refuse("head_dim", problem));
        }
        if architecture.square_queries && heads * head_dim != hidden {
            let problem = format!(
                "is {head_dim}, but llama.cpp's {} needs {heads} heads to be as wide as hidden_size {hidden}",
                architecture.name
            );
            return Err(check.refuse("head_dim", problem));
        }
        raw.check_attention_scale(architecture, heads, head_dim, &check)?;
        let (attention_cap, logit_cap) = raw.soft_caps(architecture, &check)?;
        let rotary = raw.rotary(architecture, head_dim, &check)?;
        let (scaling, local_theta) = raw.positions(architecture, rotary, &check)?;
        Ok(Self {
            architecture,
            window,
            window_pattern,
            attention_cap,
            logit_cap,
            rotary,
            scaling,
            local_theta,
            hidden,
            intermediate: check.within("intermediate_size", raw.intermediate_size, MOST_WIDTH)?,
            layers: check.within("num_hidden_layers", raw.num_hidden_layers, MOST_LAYERS)?,
            heads,
            kv_heads,
            head_dim,
            vocab: check.within("vocab_size", raw.vocab_size, MOST_VOCABULARY)?,
            context: check.within(
                "max_position_embeddings",
                raw.max_position_embeddings,
                MOST_CONTEXT,
            )?,
            rms_eps: check.real("rms_norm_eps", raw.rms_norm_eps.unwrap_or(1e-6), 1e-12, 1.0)?,
            rope_theta: check.theta("rope_theta", raw.theta())?,
            tied: raw.tied(architecture, &check)?,
            bos: raw.bos_token_id,
            eos: raw.ends().first().copied(),
            other_eos: raw.ends().get(1..).unwrap_or_default().to_vec(),
        })
    }

    /// The window that llama.cpp does not obey, so that it attends to more than the model was trained on.
    #[must_use]
    pub fn ignored_window(&self) -> Option<usize> {
        self.window.filter(|&window| {
            self.architecture.window == Window::EveryLayer && window < self.context
        })
    }
}

impl RawConfig {
    /// The table of `model_type`, Llama's where none is named; what its class would fill in differently must be stated.
    fn architecture(&self, check: &Check<'_>) -> Result<&'static Architecture, SourceError> {
        let architecture = match self.model_type.as_deref() {
            None => &LLAMA,
            Some(kind) => Architecture::of(kind).ok_or_else(|| {
                let known = ALL
                    .map(|other| format!("{:?}", other.model_type))
                    .join(", ");
                check.refuse("model_type", format!("is {kind:?}; {known} are supported"))
            })?,
        };
        for &field in architecture.stated {
            let stated = match field {
                "head_dim" => self.head_dim.is_some(),
                "rms_norm_eps" => self.rms_norm_eps.is_some(),
                "rope_theta" => self.rope_theta.is_some() || self.rope_parameters.is_some(),
                "sliding_window" => self.sliding_window.is_some(),
                "query_pre_attn_scalar" => self.query_pre_attn_scalar.is_some(),
                _ => self.num_key_value_heads.is_some(),
            };
            if !stated {
                let problem = format!(
                    "is absent, and {} has a default of its own for it; state it",
                    architecture.class
                );
                return Err(check.refuse(field, problem));
            }
        }
        Ok(architecture)
    }

    /// Whether the embedding makes the logits.
    fn tied(&self, architecture: &Architecture, check: &Check<'_>) -> Result<bool, SourceError> {
        let tied = self
            .tie_word_embeddings
            .unwrap_or(architecture.usually_tied);
        if architecture.always_tied && !tied {
            let problem = format!(
                "is false, but llama.cpp has no output matrix for {}",
                architecture.name
            );
            return Err(check.refuse("tie_word_embeddings", problem));
        }
        Ok(tied)
    }

    /// All tokens that end a text.
    fn ends(&self) -> &[u32] {
        match &self.eos_token_id {
            None => &[],
            Some(OneOrMany::One(id)) => std::slice::from_ref(id),
            Some(OneOrMany::Many(ids)) => ids,
        }
    }

    /// Refuses settings that would make another network than the one that is exported.
    fn refuse_other_networks(
        &self,
        architecture: &Architecture,
        check: &Check<'_>,
    ) -> Result<(), SourceError> {
        let (field, needed) = architecture.activation;
        let act = match field {
            "hidden_activation" => self.hidden_activation.as_deref(),
            _ => self.hidden_act.as_deref(),
        };
        if let Some(act) = act.filter(|act| *act != needed) {
            return Err(check.refuse(field, format!("is {act:?}; {needed:?} is supported")));
        }
        for (field, bias) in [
            ("attention_bias", self.attention_bias),
            ("mlp_bias", self.mlp_bias),
        ] {
            if bias == Some(true) {
                return Err(check.refuse(field, "is true; biases are not supported".into()));
            }
        }
        Ok(())
    }
}
