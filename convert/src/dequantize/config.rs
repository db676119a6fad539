//! `config.json` from the hyperparameters. Names and defaults are those of llama.cpp.

use serde_json::{Value as Json, json};

use super::number;
use crate::architecture::{Architecture, LLAMA, MISTRAL, QWEN2, QWEN3, Window};
use crate::error::Error;
use crate::gguf::Value;
use crate::source::WeightType;
use crate::stored::StoredModel;

/// The architectures whose configuration is written below. One with more in its table than names, shapes and the order
/// of rows needs more here.
static TURNED_BACK: [&Architecture; 4] = [&LLAMA, &MISTRAL, &QWEN2, &QWEN3];

/// The configuration of `model` with weights of `kind`.
pub(super) fn of(model: &StoredModel, kind: WeightType) -> Result<Json, Error> {
    let architecture = architecture(model)?;
    let name = architecture.name;
    let key = |field: &str| format!("{name}.{field}");
    let size = |field: &str| number(model, &key(field));
    let optional = |field: &str| model.metadata.unsigned(&key(field));
    let (hidden, heads) = (size("embedding_length")?, size("attention.head_count")?);
    let head_dim = optional("attention.key_length").unwrap_or(hidden / heads.max(1));
    for field in ["attention.value_length", "rope.dimension_count"] {
        if let Some(other) = optional(field).filter(|&other| other != head_dim) {
            return Err(model.refuse(format!(
                "{} is {other}, but a head is {head_dim} wide; the class {} has one width for all",
                key(field),
                architecture.class
            )));
        }
    }
    let embedding = model.tensor(architecture.embedding.target);
    let embedding = embedding.ok_or_else(|| {
        model.refuse(format!(
            "there is no tensor {:?}",
            architecture.embedding.target
        ))
    })?;
    let mut config = json!({
        "architectures": [architecture.class],
        "model_type": architecture.model_type,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": size("feed_forward_length")?,
        "num_hidden_layers": size("block_count")?,
        "num_attention_heads": heads,
        "num_key_value_heads": optional("attention.head_count_kv").unwrap_or(heads),
        "head_dim": head_dim,
        "rms_norm_eps": real(model, &key("attention.layer_norm_rms_epsilon"))?
            .ok_or_else(|| model.refuse(format!("{} is absent", key("attention.layer_norm_rms_epsilon"))))?,
        "rope_theta": real(model, &key("rope.freq_base"))?.unwrap_or(10_000.0),
        "vocab_size": embedding.rows_columns.0,
        "max_position_embeddings": size("context_length")?,
        "tie_word_embeddings": model.tensor(architecture.output.target).is_none(),
        "torch_dtype": match kind {
            WeightType::F32 => "float32",
            WeightType::F16 => "float16",
            WeightType::Bf16 => "bfloat16",
        },
        "bos_token_id": token(model, "bos"),
        "eos_token_id": token(model, "eos"),
    });
    if let Some(padding) = token(model, "padding") {
        config["pad_token_id"] = json!(padding);
    }
    if architecture.window == Window::EveryLayer {
        config["sliding_window"] = json!(optional("attention.sliding_window"));
    }
    if let Some(scaling) = scaling(model, name)? {
        config["rope_scaling"] = scaling;
    }
    Ok(config)
}

/// The table of the architecture. Two may bear one name in llama.cpp; what tells them apart is the window.
fn architecture(model: &StoredModel) -> Result<&'static Architecture, Error> {
    let name = model
        .metadata
        .text("general.architecture")
        .unwrap_or_default();
    let windowed = model
        .metadata
        .get(&format!("{name}.attention.sliding_window"))
        .is_some();
    let mut named = TURNED_BACK.into_iter().filter(|other| other.name == name);
    let first = named.next();
    let second = named.find(|other| windowed && other.window == Window::EveryLayer);
    second.or(first).ok_or_else(|| {
        let known: Vec<String> = TURNED_BACK[1..]
            .iter()
            .map(|other| format!("{:?}", other.name))
            .collect();
        model.refuse(format!(
            "general.architecture is {name:?}; {} can be turned back",
            known.join(", ")
        ))
    })
}

/// A real number, where there is one, as the shortest decimal that reads as the same 32 bits.
fn real(model: &StoredModel, key: &str) -> Result<Option<f64>, Error> {
    match model.metadata.get(key) {
        None => Ok(None),
        Some(&Value::F32(number)) if number.is_finite() => Ok(Some(
            number
                .to_string()
                .parse()
                .unwrap_or_else(|_| f64::from(number)),
        )),
        Some(_) => Err(model.refuse(format!("{key} is no finite 32-bit number"))),
    }
}

/// The id of a special token.
pub(super) fn token(model: &StoredModel, name: &str) -> Option<u64> {
    model
        .metadata
        .unsigned(&format!("tokenizer.ggml.{name}_token_id"))
}

/// `rope_scaling`, where positions are scaled by what the keys say.
fn scaling(model: &StoredModel, name: &str) -> Result<Option<Json>, Error> {
    let key = |field: &str| format!("{name}.rope.scaling.{field}");
    let kind = model.metadata.text(&key("type")).unwrap_or("none");
    let factor = || real(model, &key("factor"));
    match kind {
        "none" => Ok(None),
        "linear" => Ok(Some(json!({ "rope_type": "linear", "factor": factor()? }))),
        "yarn" if model.metadata.get(&key("attn_factor")).is_none() => Ok(Some(json!({
            "rope_type": "yarn",
            "factor": factor()?,
            "original_max_position_embeddings": number(model, &key("original_context_length"))?,
        }))),
        other => Err(model.refuse(format!(
            "{} is {other:?}, which cannot be turned back as it is",
            key("type")
        ))),
    }
}
