//! `config.json`: the hyperparameters of a Hugging Face configuration of the Llama family, bounded and cross-checked.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::SourceError;
use crate::architecture::{ALL, Architecture, LLAMA, Window};

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
    /// Positions that attention reaches back, where it is limited.
    pub window: Option<usize>,
    /// The embedding also makes the logits.
    pub tied: bool,
    /// Token that begins a text, where the file says so.
    pub bos: Option<u32>,
    /// Token that ends a text, where the file says so.
    pub eos: Option<u32>,
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
    rope_scaling: Option<Value>,
    /// Where transformers 5 keeps theta and scaling.
    rope_parameters: Option<RawRope>,
    tie_word_embeddings: Option<bool>,
    bos_token_id: Option<u32>,
    eos_token_id: Option<OneOrMany>,
    hidden_act: Option<String>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    sliding_window: Option<u64>,
    use_sliding_window: Option<bool>,
    layer_types: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RawRope {
    rope_theta: Option<f64>,
    rope_type: Option<String>,
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
        raw.refuse_other_networks(&check)?;
        let window = raw.window(architecture, &check)?;
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
        let nested_theta = raw
            .rope_parameters
            .as_ref()
            .and_then(|rope| rope.rope_theta);
        Ok(Self {
            architecture,
            window,
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
            rope_theta: check.real(
                "rope_theta",
                raw.rope_theta.or(nested_theta).unwrap_or(10_000.0),
                1.0,
                1e12,
            )?,
            tied: raw.tie_word_embeddings.unwrap_or(false),
            bos: raw.bos_token_id,
            eos: match raw.eos_token_id {
                None => None,
                Some(OneOrMany::One(id)) => Some(id),
                // Generation stops at any of them; the file can name one, and ours have one.
                Some(OneOrMany::Many(ids)) => match ids[..] {
                    [id] => Some(id),
                    _ => {
                        let problem = format!("lists {} ids; one is supported", ids.len());
                        return Err(check.refuse("eos_token_id", problem));
                    }
                },
            },
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
            let absent = match field {
                "head_dim" => self.head_dim.is_none(),
                _ => self.num_key_value_heads.is_none(),
            };
            if absent {
                let problem = format!(
                    "is absent, and {} has a default of its own for it; state it",
                    architecture.class
                );
                return Err(check.refuse(field, problem));
            }
        }
        Ok(architecture)
    }

    /// Positions that attention reaches back, by the rules of the architecture.
    fn window(
        &self,
        architecture: &Architecture,
        check: &Check<'_>,
    ) -> Result<Option<usize>, SourceError> {
        let limited = |kind: &&String| kind.as_str() != "full_attention";
        if let Some(kind) = self.layer_types.iter().flatten().find(limited) {
            let problem = format!("holds {kind:?}; \"full_attention\" is supported");
            return Err(check.refuse("layer_types", problem));
        }
        match (architecture.window, self.sliding_window) {
            (Window::EveryLayer, Some(window)) => {
                let window = check.within("sliding_window", window, MOST_CONTEXT)?;
                Ok(Some(window))
            }
            (Window::Refused, _) if self.use_sliding_window == Some(true) => {
                let problem = "is true, which llama.cpp does not do for this architecture; turn it off if the texts \
                               stay within the window";
                Err(check.refuse("use_sliding_window", problem.into()))
            }
            _ => Ok(None),
        }
    }

    /// Refuses settings that would make another network than the one that is exported.
    fn refuse_other_networks(&self, check: &Check<'_>) -> Result<(), SourceError> {
        if let Some(act) = self.hidden_act.as_deref().filter(|act| *act != "silu") {
            return Err(check.refuse("hidden_act", format!("is {act:?}; \"silu\" is supported")));
        }
        for (field, bias) in [
            ("attention_bias", self.attention_bias),
            ("mlp_bias", self.mlp_bias),
        ] {
            if bias == Some(true) {
                return Err(check.refuse(field, "is true; biases are not supported".into()));
            }
        }
        let nested = self
            .rope_parameters
            .as_ref()
            .and_then(|rope| rope.rope_type.as_deref());
        let scaled = match &self.rope_scaling {
            None | Some(Value::Null) => false,
            Some(scaling) => scaling.get("rope_type").and_then(Value::as_str) != Some("default"),
        };
        if scaled || nested.is_some_and(|kind| kind != "default") {
            let problem =
                "scales the positions, which is not supported; train with plain rotary positions";
            return Err(check.refuse("rope_scaling", problem.into()));
        }
        Ok(())
    }
}

/// Bounds on the fields of one file.
struct Check<'a> {
    path: &'a Path,
}

impl Check<'_> {
    fn refuse(&self, field: &str, problem: String) -> SourceError {
        SourceError::Field {
            path: self.path.to_owned(),
            field: field.to_owned(),
            problem,
        }
    }

    fn within(&self, field: &str, value: u64, most: u64) -> Result<usize, SourceError> {
        match usize::try_from(value) {
            Ok(small) if (1..=most).contains(&value) => Ok(small),
            _ => Err(self.refuse(field, format!("is {value}; 1 to {most} are allowed"))),
        }
    }

    fn real(&self, field: &str, value: f64, least: f64, most: f64) -> Result<f32, SourceError> {
        if (least..=most).contains(&value) {
            Ok(value as f32)
        } else {
            Err(self.refuse(field, format!("is {value}; {least} to {most} are allowed")))
        }
    }
}
