//! `config.json` of a pretrained network. Whatever this program's network would compute otherwise is refused by name.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::checkpoint::read_json;
use crate::error::{Result, TrainError};
use crate::model::architecture::Architecture;
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
    partial_rotary_factor: Option<f64>,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default)]
    tie_word_embeddings: bool,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    use_sliding_window: Option<bool>,
    layer_types: Option<Vec<String>>,
    quantization_config: Option<Value>,
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
    let named = |known: &Architecture| known.model_type() == raw.model_type;
    let Some(architecture) = Architecture::ALL.into_iter().find(named) else {
        return Err(format!(
            "model_type is {:?}; {} are supported",
            raw.model_type,
            Architecture::ALL.map(Architecture::model_type).join(", ")
        ));
    };
    refuse_other_networks(&raw, architecture)?;
    let theta = rope(&raw)?;
    for (field, size) in [
        ("hidden_size", raw.hidden_size),
        ("intermediate_size", raw.intermediate_size),
        ("num_hidden_layers", raw.num_hidden_layers),
        ("num_attention_heads", raw.num_attention_heads),
        ("head_dim", raw.head_dim.unwrap_or(1)),
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
    let (hidden, heads) = (raw.hidden_size, raw.num_attention_heads);
    let head_dim = raw.head_dim.unwrap_or(hidden / heads);
    if heads * head_dim > MOST {
        return Err(format!(
            "head_dim is {head_dim}; {heads} heads of at most {MOST} elements together are supported"
        ));
    }
    if !(0.0..1.0).contains(&raw.rms_norm_eps) {
        return Err(format!("rms_norm_eps is {}", raw.rms_norm_eps));
    }
    let shape = ModelShape {
        architecture,
        hidden,
        layers: raw.num_hidden_layers,
        heads,
        head_dim: raw
            .head_dim
            .and_then(|dim| ModelShape::own_head_dim(hidden, heads, dim)),
        kv_heads: raw.num_key_value_heads.unwrap_or(heads),
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

/// Refuses settings that would make another network than the one here, and sizes that are left to a class with a default of its own.
fn refuse_other_networks(
    raw: &RawConfig,
    architecture: Architecture,
) -> std::result::Result<(), String> {
    let stated = [
        ("num_key_value_heads", raw.num_key_value_heads.is_some()),
        (
            "head_dim",
            raw.head_dim.is_some() || architecture != Architecture::Qwen3,
        ),
    ];
    if architecture != Architecture::Llama
        && let Some((field, _)) = stated.into_iter().find(|(_, stated)| !stated)
    {
        return Err(format!(
            "{field} is absent, and {} has a default of its own for it; state it",
            architecture.class()
        ));
    }
    for (field, set, why) in [
        (
            "attention_bias",
            raw.attention_bias,
            "the only biases here are those that every qwen2 has",
        ),
        (
            "mlp_bias",
            raw.mlp_bias,
            "the feed-forward part here has no biases",
        ),
        (
            "use_sliding_window",
            raw.use_sliding_window,
            "attention here reaches back to the beginning; turn it off where no text is longer than the window",
        ),
    ] {
        if set == Some(true) {
            return Err(format!("{field} is true; {why}"));
        }
    }
    let layers = raw.layer_types.iter().flatten();
    if let Some(kind) = layers.into_iter().find(|kind| *kind != "full_attention") {
        return Err(format!(
            "layer_types holds {kind:?}; full_attention is supported"
        ));
    }
    if let Some(activation) = raw.hidden_act.as_ref().filter(|name| *name != "silu") {
        return Err(format!("hidden_act is {activation:?}; silu is supported"));
    }
    if raw
        .quantization_config
        .as_ref()
        .is_some_and(|q| !q.is_null())
    {
        return Err("quantization_config is set; weights in F32, F16 or BF16 are supported".into());
    }
    Ok(())
}

/// The base of the rotary embedding; anything that changes positions is refused.
fn rope(raw: &RawConfig) -> std::result::Result<f64, String> {
    for (field, value) in [
        ("rope_parameters", &raw.rope_parameters),
        ("rope_scaling", &raw.rope_scaling),
    ] {
        let Some(settings) = value.as_ref().and_then(Value::as_object) else {
            continue;
        };
        let kind = settings.get("rope_type").or_else(|| settings.get("type"));
        if let Some(kind) = kind.filter(|kind| *kind != "default") {
            return Err(format!(
                "{field} scales positions ({kind}); plain rotary positions are supported"
            ));
        }
        if let Some((layers, _)) = settings.iter().find(|(_, value)| value.is_object()) {
            return Err(format!(
                "{field} differs by layer ({layers}); one setting for all is supported"
            ));
        }
    }
    let nested = |name: &str| raw.rope_parameters.as_ref()?.get(name)?.as_f64();
    let part = raw
        .partial_rotary_factor
        .or_else(|| nested("partial_rotary_factor"));
    if let Some(part) = part.filter(|part| *part != 1.0) {
        return Err(format!(
            "partial_rotary_factor is {part}; heads that turn as a whole are supported"
        ));
    }
    // What transformers takes where nothing is said.
    let theta = raw
        .rope_theta
        .or_else(|| nested("rope_theta"))
        .unwrap_or(10_000.0);
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

    /// `config.json` of Qwen2.5-0.5B and of Qwen3-0.6B, of what matters here.
    fn qwen(name: &str) -> Value {
        let (heads, hidden, ffn) = if name == "qwen2" {
            (14, 896, 4864)
        } else {
            (16, 1024, 3072)
        };
        let mut config = json!({
            "model_type": name, "hidden_size": hidden, "intermediate_size": ffn, "num_hidden_layers": 24,
            "num_attention_heads": heads, "num_key_value_heads": if name == "qwen2" { 2 } else { 8 }, "hidden_act": "silu",
            "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "vocab_size": 151_936, "max_position_embeddings": 32768,
            "tie_word_embeddings": true, "sliding_window": 32768, "use_sliding_window": false, "max_window_layers": 21,
            "rope_scaling": null, "attention_dropout": 0.0
        });
        if name == "qwen3" {
            config["head_dim"] = json!(128);
            config["attention_bias"] = json!(false);
        }
        config
    }

    #[test]
    fn qwen_has_heads_of_its_own_width_where_the_file_says_so() {
        for (name, architecture, head_dim) in [
            ("qwen2", Architecture::Qwen2, None),
            ("qwen3", Architecture::Qwen3, Some(128)),
        ] {
            let config = parsed(|config| *config = qwen(name)).unwrap();
            let shape = config.shape(1024);
            assert_eq!(
                (shape.architecture, shape.head_dim),
                (architecture, head_dim)
            );
            assert_eq!(shape.attention().dim, head_dim.unwrap_or(64));
            assert_eq!((shape.rms_norm_eps, shape.rope_theta), (1e-6, 1e6));
        }
        // What goes without saying is not kept: the shape is that of the network that comes back out of a checkpoint.
        let same = parsed(|config| config["head_dim"] = json!(64)).unwrap();
        assert_eq!(same.shape(9).head_dim, None);
        let wide = parsed(|config| config["head_dim"] = json!(128)).unwrap();
        assert_eq!(wide.shape(9).attention().out_row(), 9 * 128);
    }

    #[test]
    fn what_a_qwen_may_not_say_is_refused_by_name() {
        for (name, field, value) in [
            ("qwen2", "use_sliding_window", json!(true)),
            ("qwen3", "use_sliding_window", json!(true)),
            (
                "qwen2",
                "layer_types",
                json!(["full_attention", "sliding_attention"]),
            ),
            ("qwen2", "attention_bias", json!(true)),
            ("qwen3", "attention_bias", json!(true)),
            ("qwen2", "head_dim", json!(128)),
            ("qwen3", "head_dim", Value::Null),
            ("qwen3", "head_dim", json!(127)),
            ("qwen3", "head_dim", json!(0)),
            ("qwen3", "head_dim", json!(1 << 20)),
            ("qwen2", "num_key_value_heads", Value::Null),
            (
                "qwen3",
                "rope_scaling",
                json!({"type": "yarn", "factor": 4.0}),
            ),
            (
                "qwen3",
                "rope_parameters",
                json!({"full_attention": {"rope_theta": 5e5}}),
            ),
            ("qwen2", "partial_rotary_factor", json!(0.5)),
            (
                "qwen2",
                "quantization_config",
                json!({"quant_method": "gptq"}),
            ),
        ] {
            let text = parsed(|config| {
                *config = qwen(name);
                config[field] = value.clone();
            });
            let text = text.unwrap_err();
            assert!(text.contains(field), "{name} {field}: {text}");
        }
    }

    #[test]
    fn what_would_compute_something_else_is_refused_by_name() {
        for (field, value) in [
            ("model_type", json!("qwen2_moe")),
            ("model_type", json!("gemma2")),
            ("attention_bias", json!(true)),
            ("mlp_bias", json!(true)),
            ("hidden_act", json!("gelu")),
            ("head_dim", json!(63)),
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
