//! Small checkpoints of random weights, for tests and first tries. They are deterministic by seed and say nothing
//! sensible, but they are complete: llama.cpp and `tokenizers` load what comes of them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use stride_firmware_config::frame::{LAYOUT_VERSION, Marker};

use crate::architecture::{LLAMA, TensorRule};
use crate::quantize::TensorRole;
use crate::source::rope::Scaling;
use crate::source::tokenizer::byte_symbol;
use crate::source::{ModelConfig, WeightType, config, policy, shards, tokenizer, weights};

/// What the byte pairs are learnt from.
const TEXT: &str = " You are in the middle of a room. Looking quickly around you, you see a drawer 2, a cabinet 1, a \
    countertop 3, a fridge 1 and a garbagecan 1. go to the drawer 2; open the fridge 1; take the egg 1 from the \
    fridge 1; put the egg 1 in the microwave 1; the fridge is closed; you see nothing; checked the drawer and the \
    cabinet; holding the egg; True; False; None; the task is to heat an egg and put it in the garbagecan.";

/// A checkpoint of random weights.
#[derive(Debug, Clone)]
pub struct RandomModel {
    /// Seed of the weights.
    pub seed: u64,
    /// Hyperparameters; `vocab` is raised to the size of the tokenizer where it is smaller.
    pub config: ModelConfig,
    /// How the weights are stored.
    pub weights: WeightType,
    /// Byte pairs that the tokenizer learns, at most.
    pub merges: usize,
    /// Files that the weights are spread over; with more than one there is an index.
    pub shards: usize,
}

impl Default for RandomModel {
    /// Two layers, 64 wide, four heads over two key-value heads, tied, F32: a few hundred kilobytes.
    fn default() -> Self {
        Self {
            seed: 1,
            config: ModelConfig {
                architecture: &LLAMA,
                hidden: 64,
                intermediate: 160,
                layers: 2,
                heads: 4,
                kv_heads: 2,
                head_dim: 16,
                vocab: 0,
                context: 2048,
                rms_eps: 1e-5,
                rope_theta: 10_000.0,
                local_theta: None,
                rotary: 16,
                scaling: Scaling::None,
                window: None,
                window_pattern: None,
                attention_cap: None,
                logit_cap: None,
                tied: true,
                bos: Some(Marker::Begin as u32),
                eos: Some(Marker::End as u32),
                other_eos: Vec::new(),
            },
            weights: WeightType::F32,
            merges: 200,
            shards: 1,
        }
    }
}

impl RandomModel {
    /// Writes the four files into `directory`, which is created.
    ///
    /// # Errors
    ///
    /// When the folder or a file cannot be written.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)?;
        let (tokenizer, tokens) = tokenizer_json(self.merges);
        let mut config = self.config.clone();
        config.vocab = config.vocab.max(tokens);
        // Sorted, so that the files do not hang on the order in which they are put together here.
        let put = |name: &str, value: &Value| {
            let mut value = value.clone();
            value.sort_all_objects();
            std::fs::write(directory.join(name), format!("{value:#}\n"))
        };
        put(config::FILE, &config_json(&config))?;
        put(tokenizer::FILE, &tokenizer)?;
        put(policy::FILE, &policy_json())?;
        let tensors = self.tensors(&config);
        if self.shards <= 1 {
            let all: Vec<_> = tensors.iter().collect();
            return write_weights(&directory.join(weights::FILE), &all);
        }
        let mut files = BTreeMap::new();
        for shard in 0..self.shards {
            let name = shards::name(shard, self.shards);
            // Dealt out like cards, so that neighbours lie in different files.
            let part: Vec<_> = tensors.iter().skip(shard).step_by(self.shards).collect();
            write_weights(&directory.join(&name), &part)?;
            files.extend(part.into_iter().map(|(tensor, _)| (tensor, name.clone())));
        }
        let bytes: usize = tensors.values().map(|tensor| tensor.bytes.len()).sum();
        let index = json!({ "metadata": { "total_size": bytes }, "weight_map": files });
        put(shards::FILE, &index)
    }

    fn tensors(&self, config: &ModelConfig) -> BTreeMap<String, RandomTensor> {
        let mut numbers = Numbers(self.seed);
        let mut tensors = BTreeMap::new();
        for line in config.architecture.tensors(config) {
            let shape = line.shape(config);
            let tensor = RandomTensor::new(&mut numbers, &line.rule, shape, self.weights);
            tensors.insert(line.source(), tensor);
        }
        tensors
    }
}

struct RandomTensor {
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl RandomTensor {
    /// Norms around one, biases around zero; matrices with a variance that keeps the width of what passes through.
    fn new(numbers: &mut Numbers, rule: &TensorRule, shape: Vec<usize>, kind: WeightType) -> Self {
        let columns = shape.last().copied().unwrap_or(1) as f32;
        let (centre, spread) = match rule.role {
            TensorRole::Vector if rule.source.ends_with(".bias") => (0.0, 0.2),
            TensorRole::Vector => (1.0, 0.2),
            TensorRole::Matrix | TensorRole::Logits => (0.0, (3.0 / columns).sqrt()),
        };
        let mut bytes = Vec::new();
        for _ in 0..shape.iter().product() {
            let value = centre + spread * numbers.next();
            match kind {
                WeightType::F32 => bytes.extend(value.to_le_bytes()),
                WeightType::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
                WeightType::Bf16 => bytes.extend(bf16::from_f32(value).to_le_bytes()),
            }
        }
        let kind = match kind {
            WeightType::F32 => Dtype::F32,
            WeightType::F16 => Dtype::F16,
            WeightType::Bf16 => Dtype::BF16,
        };
        Self { kind, shape, bytes }
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, and the same everywhere.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// Evenly from -1 to 1.
    pub(crate) fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // 24 bits are what a f32 holds exactly.
        (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// The tensors as one safetensors file.
fn write_weights(path: &Path, tensors: &[(&String, &RandomTensor)]) -> io::Result<()> {
    let views = tensors.iter().map(|(name, tensor)| {
        let view = TensorView::new(tensor.kind, tensor.shape.clone(), &tensor.bytes);
        view.map(|view| (name.as_str(), view))
    });
    let views = views.collect::<Result<Vec<_>, _>>();
    let bytes = views.and_then(|views| safetensors::serialize(views, None));
    std::fs::write(path, bytes.map_err(io::Error::other)?)
}

fn config_json(config: &ModelConfig) -> Value {
    let mut json = json!({
        "architectures": [config.architecture.class],
        "model_type": config.architecture.model_type,
        "hidden_size": config.hidden,
        "intermediate_size": config.intermediate,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "rms_norm_eps": config.rms_eps,
        "rope_theta": config.rope_theta,
        "vocab_size": config.vocab,
        "max_position_embeddings": config.context,
        "tie_word_embeddings": config.tied,
        "bos_token_id": config.bos,
        "eos_token_id": config.eos,
    });
    let (field, activation) = config.architecture.activation;
    json[field] = json!(activation);
    let optional = [
        ("sliding_window", config.window.map(|window| json!(window))),
        (
            "sliding_window_pattern",
            config.window_pattern.map(|each| json!(each)),
        ),
        (
            "query_pre_attn_scalar",
            config.architecture.scale.map(|_| json!(config.head_dim)),
        ),
        (
            "attn_logit_softcapping",
            config.attention_cap.map(|cap| json!(cap)),
        ),
        (
            "final_logit_softcapping",
            config.logit_cap.map(|cap| json!(cap)),
        ),
        (
            "rope_local_base_freq",
            config.local_theta.map(|theta| json!(theta)),
        ),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            json[field] = value;
        }
    }
    json
}

fn policy_json() -> Value {
    json!({
        "layout_version": LAYOUT_VERSION,
        "name": "random-weights",
        "license": "Apache-2.0",
        "description": "Random weights for tests. It says nothing sensible.",
        "capacities": { "observation": 1024, "progress": 512 },
        "utterance_tokens": { "high": 24, "low": 16, "progress": 96 },
        "card": "# random-weights\n\nMade by stride_convert::fixtures; for tests only.",
    })
}

/// A byte-level BPE tokenizer as `tokenizers` writes it, and the number of its tokens.
fn tokenizer_json(most_merges: usize) -> (Value, usize) {
    let merges = learn_merges(most_merges);
    let mut tokens: Vec<String> = Marker::ALL.map(|marker| marker.token().to_owned()).into();
    tokens.extend((0..=u8::MAX).map(|byte| byte_symbol(byte).to_string()));
    tokens.extend(merges.iter().map(|(left, right)| format!("{left}{right}")));
    let vocab: serde_json::Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| (token.clone(), json!(id)))
        .collect();
    let added: Vec<Value> = Marker::ALL
        .iter()
        .enumerate()
        .map(|(id, marker)| {
            json!({
                "id": id, "content": marker.token(), "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false, "special": true,
            })
        })
        .collect();
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": null, "pre_tokenizer": byte_level, "post_processor": null, "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges,
        },
    });
    (json, tokens.len())
}

/// Joins the most frequent pair again and again; among equals the first in alphabetical order.
fn learn_merges(most: usize) -> Vec<(String, String)> {
    let split_before = |text: &str, at: usize| text.as_bytes()[at] == b' ';
    let mut words: Vec<Vec<String>> = Vec::new();
    for (at, symbol) in TEXT.char_indices() {
        if at == 0 || split_before(TEXT, at) {
            words.push(Vec::new());
        }
        // The text is ASCII, so a character is a byte.
        if let (Some(word), Ok(byte)) = (words.last_mut(), u8::try_from(symbol))
            && (byte == b' ' || byte.is_ascii_alphabetic())
        {
            word.push(byte_symbol(byte).to_string());
        }
    }
    let mut merges = Vec::new();
    while merges.len() < most {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for pair in words.iter().flat_map(|word| word.windows(2)) {
            *counts.entry((&pair[0], &pair[1])).or_default() += 1;
        }
        let best = counts
            .iter()
            .max_by_key(|&(pair, &count)| (count, std::cmp::Reverse(pair)));
        let Some((left, right)) =
            best.map(|((left, right), _)| (left.to_string(), right.to_string()))
        else {
            break;
        };
        for word in &mut words {
            join(word, &left, &right);
        }
        merges.push((left, right));
    }
    merges
}

fn join(word: &mut Vec<String>, left: &str, right: &str) {
    let mut at = 0;
    while at + 1 < word.len() {
        if word[at] == left && word[at + 1] == right {
            let tail = word.remove(at + 1);
            word[at].push_str(&tail);
        }
        at += 1;
    }
}
