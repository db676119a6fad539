//! `config.json` of a pretrained network. Whatever this program's network would compute otherwise is refused by name.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::checkpoint::read_json;
use crate::error::{Result, TrainError};
use crate::model::shape::ModelShape;

/// Elements of a size at most: beyond what any checkpoint of the family has.
const MOST: usize = 1 << 20;
/// Blocks at most; each has nine tensors with names.
const MOST_LAYERS: usize = 1 << 10;

/// What stands in the file, of what matters here.
#[derive(Debug, Deserialize)]
struct RawConfig {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    rms_norm_eps: f64,
    rope_theta: Option<f64>,
    /// transformers 5 keeps the base, and what is done to positions, in here.
    rope_parameters: Option<Value>,
    rope_scaling: Option<Value>,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
}

/// A supported network.
#[derive(Debug, Clone, PartialEq)]
pub struct BackboneConfig {
    shape: ModelShape,
    /// Rows of the embedding; the vocabulary may be smaller.
    pub rows: usize,
}

impl BackboneConfig {
    /// The shape for sequences of at most `longest` tokens: positions do not depend on the longest one, so a shorter limit computes the
    /// same.
    #[must_use]
    pub fn shape(&self, longest: usize) -> ModelShape {
        let mut shape = self.shape.clone();
        shape.max_positions = shape.max_positions.min(longest);
        shape
    }
}

/// Reads the `config.json` of a folder.
///
/// # Errors
/// When it is missing or broken, or the network is of a kind that is not supported.
pub fn read(folder: &Path) -> Result<BackboneConfig> {
    let path = folder.join("config.json");
    parse(read_json(&path)?).map_err(|reason| TrainError::checkpoint(&path, reason))
}

fn parse(raw: RawConfig) -> std::result::Result<BackboneConfig, String> {
    match raw.model_type.as_str() {
        "llama" => {}
        "qwen2" => {
            return Err(
                "model_type qwen2 has biases on queries, keys and values, which the network here has not; llama is supported"
                    .into(),
            );
        }
        "qwen3" => {
            return Err(
                "model_type qwen3 has norms on queries and keys, which the network here has not; llama is supported"
                    .into(),
            );
        }
        other => return Err(format!("model_type {other:?}; llama is supported")),
    }
    for (field, set) in [
        ("attention_bias", raw.attention_bias),
        ("mlp_bias", raw.mlp_bias),
    ] {
        if set {
            return Err(format!("{field} is set; the network here has no biases"));
        }
    }
    if let Some(activation) = raw.hidden_act.filter(|name| name != "silu") {
        return Err(format!("hidden_act {activation:?}; silu is supported"));
    }
    let theta = rope(raw.rope_theta, raw.rope_parameters, raw.rope_scaling)?;
    for (field, size) in [
        ("hidden_size", raw.hidden_size),
        ("intermediate_size", raw.intermediate_size),
        ("num_hidden_layers", raw.num_hidden_layers),
        ("num_attention_heads", raw.num_attention_heads),
        ("vocab_size", raw.vocab_size),
    ] {
        if !(1..=MOST).contains(&size) {
            return Err(format!("{field} is {size}; 1 to {MOST} are supported"));
        }
    }
    if raw.num_hidden_layers > MOST_LAYERS {
        return Err(format!(
            "num_hidden_layers is {}; 1 to {MOST_LAYERS} are supported",
            raw.num_hidden_layers
        ));
    }
    let dim = raw.hidden_size / raw.num_attention_heads;
    if let Some(given) = raw.head_dim.filter(|given| *given != dim) {
        return Err(format!(
            "head_dim is {given}; hidden_size / num_attention_heads = {dim} is supported"
        ));
    }
    if !(0.0..1.0).contains(&raw.rms_norm_eps) {
        return Err(format!("rms_norm_eps is {}", raw.rms_norm_eps));
    }
    let shape = ModelShape {
        hidden: raw.hidden_size,
        layers: raw.num_hidden_layers,
        heads: raw.num_attention_heads,
        kv_heads: raw.num_key_value_heads.unwrap_or(raw.num_attention_heads),
        ffn: raw.intermediate_size,
        rope_theta: theta,
        rms_norm_eps: raw.rms_norm_eps,
        max_positions: raw.max_position_embeddings,
        tie_embeddings: raw.tie_word_embeddings,
        init_std: ModelShape::default().init_std,
    };
    shape.validate().map_err(|error| error.to_string())?;
    Ok(BackboneConfig {
        shape,
        rows: raw.vocab_size,
    })
}

/// The base of the rotary embedding; anything that changes positions is refused.
fn rope(
    theta: Option<f64>,
    parameters: Option<Value>,
    scaling: Option<Value>,
) -> std::result::Result<f64, String> {
    let given = parameters.unwrap_or_default();
    for value in [&given, &scaling.unwrap_or_default()] {
        let kind = value.get("rope_type").or_else(|| value.get("type"));
        if let Some(kind) = kind.filter(|kind| *kind != "default") {
            return Err(format!(
                "its positions are scaled ({kind}); plain rotary positions are supported"
            ));
        }
    }
    let theta = theta.or_else(|| given.get("rope_theta")?.as_f64());
    // What transformers takes where nothing is said.
    let theta = theta.unwrap_or(10_000.0);
    if theta.is_finite() && theta > 0.0 {
        Ok(theta)
    } else {
        Err(format!("rope_theta is {theta}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(change: impl FnOnce(&mut Value)) -> std::result::Result<BackboneConfig, String> {
        let mut config = json!({
            "model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
            "num_attention_heads": 9, "num_key_value_heads": 3, "head_dim": 64, "hidden_act": "silu",
            "rms_norm_eps": 1e-5, "rope_theta": 100_000.0, "vocab_size": 49152, "max_position_embeddings": 8192,
            "tie_word_embeddings": true
        });
        change(&mut config);
        parse(serde_json::from_value(config).map_err(|error| error.to_string())?)
    }

    #[test]
    fn sizes_are_those_of_the_file() {
        let config = parsed(|_| {}).unwrap();
        assert_eq!(config.rows, 49152);
        let shape = config.shape(1024);
        assert_eq!((shape.heads, shape.kv_heads), (9, 3));
        assert_eq!((shape.rope_theta, shape.max_positions), (100_000.0, 1024));
        assert_eq!(config.shape(1 << 30).max_positions, 8192);
        let newer = parsed(|config| {
            config["rope_theta"] = Value::Null;
            config["rope_parameters"] = json!({"rope_type": "default", "rope_theta": 5000.0});
        });
        assert_eq!(newer.unwrap().shape(9).rope_theta, 5000.0);
    }

    #[test]
    fn what_would_compute_something_else_is_refused_by_name() {
        for (field, value) in [
            ("model_type", json!("qwen2")),
            ("model_type", json!("qwen3")),
            ("model_type", json!("gemma2")),
            ("attention_bias", json!(true)),
            ("mlp_bias", json!(true)),
            ("hidden_act", json!("gelu")),
            ("head_dim", json!(128)),
            ("rms_norm_eps", json!(-1.0)),
            ("rope_theta", json!(0.0)),
            ("vocab_size", json!(1_u64 << 40)),
            ("hidden_size", json!(0)),
            ("num_hidden_layers", json!(1 << 20)),
        ] {
            let text = parsed(|config| config[field] = value.clone()).unwrap_err();
            assert!(text.contains(field), "{field}: {text}");
        }
        let text = parsed(|config| config["rope_scaling"] = json!({"rope_type": "llama3"}));
        assert!(text.unwrap_err().contains("llama3"));
        let text = parsed(|config| config["num_key_value_heads"] = json!(4));
        assert!(text.unwrap_err().contains("kv_heads"));
    }
}
