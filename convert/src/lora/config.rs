//! `adapter_config.json`: what PEFT says about an adapter. An option that would make another sum than
//! `W + scale * B * A` is refused by name, and so is one that nobody here has heard of and that is set.

use std::path::Path;

use serde_json::{Map, Value};

use crate::source::SourceError;

/// Name in the adapter's folder.
pub const FILE: &str = "adapter_config.json";
/// Bytes at most.
pub const MOST_BYTES: u64 = 1 << 20;
/// The rank at most.
const MOST_RANK: u64 = 1 << 14;

/// Fields that do not change what an adapter adds to its base: the names of its modules stand on its tensors.
const WITHOUT_EFFECT: [&str; 16] = [
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "eva_config",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
    "target_modules",
];

/// Ways to begin an adapter that leave the base as it was. Others (PiSSA, OLoRA, LoftQ, CorDA) take something out of
/// the base first, so their adapters do not fit the base that everybody has.
const HARMLESS_BEGINNINGS: [&str; 3] = ["gaussian", "orthogonal", "eva"];

/// Tokens with rows of their own at most.
const MOST_TOKENS: usize = 1 << 16;

/// What an adapter adds.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraConfig {
    /// Rank of every pair of matrices.
    pub rank: usize,
    /// What the product of a pair is multiplied by.
    pub scale: f32,
    /// Tokens whose rows the adapter brings along, by module: `embed_tokens`, `lm_head`.
    pub tokens: Vec<(String, Vec<u32>)>,
}

impl LoraConfig {
    /// `adapter.lora.alpha`: llama.cpp divides it by the rank.
    #[must_use]
    pub fn alpha(&self) -> f32 {
        self.scale * self.rank as f32
    }

    /// Reads `bytes`, the content of `path` (which is only named in errors).
    ///
    /// # Errors
    ///
    /// When it is malformed, no LoRA, or sets an option that is not merged here.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SourceError> {
        let fields: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|source| SourceError::Json {
                path: path.to_owned(),
                source,
            })?;
        let fields = Fields {
            path,
            fields: &fields,
        };
        fields.refuse_other_sums()?;
        let rank = match fields.get("r").as_u64() {
            Some(rank @ 1..=MOST_RANK) => rank as usize,
            _ => return Err(fields.refuse("r", format!("must be 1 to {MOST_RANK}"))),
        };
        let alpha = match fields.get("lora_alpha").as_f64() {
            Some(alpha) if alpha.is_finite() && alpha.abs() < 1e9 => alpha,
            _ => return Err(fields.refuse("lora_alpha", "must be a number".into())),
        };
        let divisor = match fields.get("use_rslora") {
            Value::Bool(true) => (rank as f64).sqrt(),
            _ => rank as f64,
        };
        Ok(Self {
            rank,
            scale: (alpha / divisor) as f32,
            tokens: fields.tokens()?,
        })
    }
}

struct Fields<'a> {
    path: &'a Path,
    fields: &'a Map<String, Value>,
}

impl Fields<'_> {
    /// The value of a field, null where it is absent.
    fn get(&self, field: &str) -> &Value {
        self.fields.get(field).unwrap_or(&Value::Null)
    }

    fn refuse(&self, field: &str, problem: String) -> SourceError {
        SourceError::Field {
            path: self.path.to_owned(),
            field: field.chars().take(64).collect(),
            problem,
        }
    }

    fn refuse_other_sums(&self) -> Result<(), SourceError> {
        if self.get("peft_type") != "LORA" {
            let problem = format!("is {}; \"LORA\" is supported", short(self.get("peft_type")));
            return Err(self.refuse("peft_type", problem));
        }
        for (field, value) in self.fields {
            let good = match field.as_str() {
                "peft_type" | "r" | "lora_alpha" | "trainable_token_indices" => true,
                "task_type" => value.is_null() || value == "CAUSAL_LM",
                "use_rslora" => value.is_null() || value.is_boolean(),
                "bias" => value.is_null() || value == "none",
                "init_lora_weights" => {
                    let name = value.as_str();
                    name.is_none_or(|name| HARMLESS_BEGINNINGS.contains(&name))
                }
                other => WITHOUT_EFFECT.contains(&other) || is_unset(value),
            };
            if !good {
                let problem = format!(
                    "is {}, which is not supported; merge the adapter with PEFT (merge_and_unload) and convert that",
                    short(value)
                );
                return Err(self.refuse(field, problem));
            }
        }
        Ok(())
    }
}

impl Fields<'_> {
    /// `trainable_token_indices`: a list for the embedding, or lists by module.
    fn tokens(&self) -> Result<Vec<(String, Vec<u32>)>, SourceError> {
        const FIELD: &str = "trainable_token_indices";
        let refuse = || {
            let problem = format!("must be lists of at most {MOST_TOKENS} ids of tokens");
            self.refuse(FIELD, problem)
        };
        let ids = |value: &Value| {
            let ids = value.as_array().filter(|ids| ids.len() <= MOST_TOKENS);
            let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
            ids.and_then(|ids| ids.iter().map(id).collect())
                .ok_or_else(refuse)
        };
        match self.get(FIELD) {
            value if is_unset(value) => Ok(Vec::new()),
            list @ Value::Array(_) => Ok(vec![("embed_tokens".to_owned(), ids(list)?)]),
            Value::Object(lists) => lists
                .iter()
                .map(|(module, list)| Ok((module.clone(), ids(list)?)))
                .collect(),
            _ => Err(refuse()),
        }
    }
}

fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(change: impl FnOnce(&mut Value)) -> Result<LoraConfig, String> {
        // As PEFT 0.18 writes it, less what is null.
        let mut config = json!({
            "auto_mapping": null, "base_model_name_or_path": "base", "bias": "none", "fan_in_fan_out": false,
            "inference_mode": true, "init_lora_weights": true, "layer_replication": null, "lora_alpha": 16,
            "lora_bias": false, "lora_dropout": 0.05, "megatron_core": "megatron.core", "modules_to_save": null,
            "peft_type": "LORA", "qalora_group_size": 16, "r": 8, "rank_pattern": {}, "alpha_pattern": {},
            "target_modules": ["q_proj"], "task_type": "CAUSAL_LM", "use_dora": false, "use_rslora": false,
        });
        change(&mut config);
        LoraConfig::parse(Path::new(FILE), config.to_string().as_bytes())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_scale_is_alpha_by_rank_or_by_its_root() {
        let plain = parse(|_| {}).unwrap();
        assert_eq!((plain.rank, plain.scale, plain.alpha()), (8, 2.0, 16.0));
        let stable = parse(|config| {
            config["use_rslora"] = true.into();
            config["r"] = 16.into();
        });
        let stable = stable.unwrap();
        assert_eq!((stable.scale, stable.alpha()), (4.0, 64.0));
    }

    #[test]
    fn tokens_with_rows_are_listed_by_module() {
        let tokens = |value: Value| {
            let found = parse(|config| config["trainable_token_indices"] = value);
            found.unwrap().tokens
        };
        assert_eq!(tokens(Value::Null), []);
        let embedding = ("embed_tokens".to_owned(), vec![7, 9]);
        assert_eq!(tokens(json!([7, 9])), std::slice::from_ref(&embedding));
        assert_eq!(
            tokens(json!({ "embed_tokens": [7, 9], "lm_head": [3] })),
            [embedding, ("lm_head".to_owned(), vec![3])]
        );
    }

    #[test]
    fn what_makes_another_sum_is_refused_by_name() {
        for (field, value) in [
            ("peft_type", json!("IA3")),
            ("use_dora", json!(true)),
            ("use_qalora", json!(true)),
            ("lora_bias", json!(true)),
            ("bias", json!("all")),
            ("fan_in_fan_out", json!(true)),
            ("modules_to_save", json!(["lm_head"])),
            ("rank_pattern", json!({ "q_proj": 4 })),
            ("alpha_pattern", json!({ "q_proj": 4 })),
            ("layer_replication", json!([[0, 2], [1, 3]])),
            ("trainable_token_indices", json!("all")),
            ("trainable_token_indices", json!([-1])),
            ("trainable_token_indices", json!({ "embed_tokens": [0.5] })),
            ("init_lora_weights", json!("pissa")),
            ("task_type", json!("SEQ_CLS")),
            ("an_option_of_next_year", json!(1)),
            ("r", json!(0)),
            ("r", json!(-8)),
            ("r", json!(1_u64 << 40)),
            ("lora_alpha", json!("many")),
        ] {
            let text = parse(|config| config[field] = value.clone()).unwrap_err();
            assert!(text.contains(field) && text.contains(FILE), "{text}");
        }
    }
}
