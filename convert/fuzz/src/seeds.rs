//! The inputs that fuzzing starts from, made here and committed under `convert/fuzz/seeds`: small files of every kind, and
//! the hostile ones of the tests of refusals.

mod adapter;
mod importance;

use serde_json::{Value as Json, json};
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{Array, GgufWriter, Metadata, TensorInfo, TensorType, Value};
use stride_convert::source::WeightType;

use super::checkpoint::{BETWEEN, BYTES, LETTERS};

/// Folder and name, and the bytes.
pub type Seed = (String, Vec<u8>);

/// All seeds, in no particular order.
///
/// # Panics
///
/// When the fixtures cannot be written to a temporary folder.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    gguf_files(&mut seeds);
    gguf_refusals(&mut seeds);
    checkpoints(&mut seeds);
    importance::all(&mut seeds);
    adapter::all(&mut seeds);
    seeds
}

fn gguf_files(seeds: &mut Vec<Seed>) {
    for (name, columns) in [
        ("f32", 8),
        ("f16", 8),
        ("bf16", 8),
        ("q4_0", 32),
        ("q4_1", 32),
        ("q5_0", 32),
        ("q5_1", 32),
        ("q8_0", 32),
        ("q2_k", 256),
        ("q3_k", 256),
        ("q4_k", 256),
        ("q5_k", 256),
        ("q6_k", 256),
        ("iq4_xs", 256),
    ] {
        let kind: TensorType = name.parse().expect("a type of ggml");
        let tensors = [
            ("token_embd.weight", vec![columns, 2], kind),
            ("output_norm.weight", vec![8], TensorType::F32),
        ];
        let mut metadata = Metadata::new();
        metadata.set("general.architecture", "llama");
        seeds.push((format!("gguf/{name}"), gguf(&metadata, &tensors)));
    }
    seeds.push(("gguf/empty".into(), gguf(&Metadata::new(), &[])));
    seeds.push(("gguf/values".into(), gguf(&every_value(), &[])));
    let (model, tensors) = small_model();
    seeds.push(("gguf/model".into(), gguf(&model, &tensors)));
}

fn every_value() -> Metadata {
    let mut metadata = Metadata::new();
    let numbers = [
        Value::U8(1),
        Value::I8(-1),
        Value::U16(2),
        Value::I16(-2),
        Value::U32(3),
        Value::I32(-3),
        Value::U64(4),
        Value::I64(-4),
        Value::F32(0.5),
        Value::F64(f64::INFINITY),
        Value::Bool(true),
        Value::Array(Array::U8((0..20).collect())),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::F64(vec![0.0, -0.0])),
        Value::Array(Array::String(vec!["a".into(), String::new()])),
        Value::Array(Array::Array(vec![
            Array::U16(vec![1, 2]),
            Array::Array(vec![Array::I32(vec![3])]),
        ])),
    ];
    for (at, value) in numbers.into_iter().enumerate() {
        metadata.set(format!("key.{at}"), value);
    }
    metadata.set("escape", "\u{1b}[31m red\u{9b}");
    metadata.set("stride.card", "card\u{7}\n");
    metadata
}

/// What `dequantize` turns back.
fn small_model() -> (Metadata, Vec<Tensor>) {
    let mut metadata = Metadata::new();
    metadata.set("general.architecture", "llama");
    for (key, number) in [
        ("embedding_length", 4_u32),
        ("feed_forward_length", 4),
        ("block_count", 1),
        ("context_length", 16),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("rope.dimension_count", 2),
    ] {
        metadata.set(format!("llama.{key}"), number);
    }
    metadata.set("llama.attention.layer_norm_rms_epsilon", 1e-5_f32);
    metadata.set("llama.rope.freq_base", 1e4_f32);
    metadata.set("llama.rope.scaling.type", "linear");
    metadata.set("llama.rope.scaling.factor", 2.0_f32);
    metadata.set("tokenizer.ggml.model", "gpt2");
    metadata.set("tokenizer.ggml.pre", "llama-bpe");
    let tokens = ["<s>", "a", "b", "ab", "[PAD4]"].map(str::to_owned);
    metadata.set("tokenizer.ggml.tokens", tokens.to_vec());
    metadata.set("tokenizer.ggml.token_type", vec![3, 1, 1, 1, 5]);
    metadata.set("tokenizer.ggml.merges", vec!["a b".to_owned()]);
    metadata.set("tokenizer.ggml.bos_token_id", 0_u32);
    metadata.set("tokenizer.chat_template", "{{ messages }}");
    metadata.set("stride.layout_version", 1_u32);
    let tensors = vec![
        ("token_embd.weight", vec![4, 5], TensorType::F16),
        ("blk.0.attn_q.weight", vec![4, 4], TensorType::F32),
        ("output_norm.weight", vec![4], TensorType::F32),
    ];
    (metadata, tensors)
}

type Tensor = (&'static str, Vec<u64>, TensorType);

fn gguf(metadata: &Metadata, tensors: &[Tensor]) -> Vec<u8> {
    gguf_of(metadata, tensors, |at| at as u8)
}

/// A file whose tensors hold what `byte` gives for each place in a tensor.
fn gguf_of(metadata: &Metadata, tensors: &[Tensor], byte: fn(usize) -> u8) -> Vec<u8> {
    let infos: Vec<TensorInfo> = tensors
        .iter()
        .map(|(name, shape, kind)| TensorInfo {
            name: (*name).to_owned(),
            shape: shape.clone(),
            kind: *kind,
        })
        .collect();
    let mut writer =
        GgufWriter::start(Vec::new(), metadata, &infos).expect("what is written here is valid");
    for info in &infos {
        let rows = info.shape[1..].iter().product();
        let bytes = info.kind.tensor_bytes(info.shape[0], rows);
        let bytes = bytes.expect("whole blocks") as usize;
        let bytes: Vec<u8> = (0..bytes).map(byte).collect();
        writer.write(&bytes).expect("into memory");
        writer.end_tensor().expect("as many as planned");
    }
    writer.finish().expect("all are written")
}

/// The hand-made files of `convert/tests/convert/container_refusals.rs`.
fn gguf_refusals(seeds: &mut Vec<Seed>) {
    let mut add = |name: &str, bytes: Vec<u8>| seeds.push((format!("gguf/refused-{name}"), bytes));
    add("magic", b"GGML\x03\0\0\0".to_vec());
    add("version", header(4, 0, 0));
    add("big-endian", header(3_u32.swap_bytes(), 0, 0));
    add("cut", header(3, 0, 0)[..20].to_vec());
    add("pairs", header(3, 0, u64::MAX));
    add("tensors", header(3, u64::MAX, 0));
    let mut bytes = header(3, 0, 1);
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.extend([0; 16]);
    add("key-length", bytes);
    let many = [9_u32.to_le_bytes().as_slice(), &1_u64.to_le_bytes()].concat();
    let long = [
        10_u32.to_le_bytes().as_slice(),
        &(u64::MAX / 8).to_le_bytes(),
    ]
    .concat();
    for (name, pairs) in [
        ("empty-key", vec![pair(b"", 0, &[0; 8])]),
        ("key-utf8", vec![pair(b"\xff\xfe", 0, &[0; 8])]),
        ("key-twice", vec![pair(b"a", 0, &[1]), pair(b"a", 0, &[2])]),
        ("value-type", vec![pair(b"a", 13, &[0; 8])]),
        ("boolean", vec![pair(b"a", 7, &[2])]),
        ("array-length", vec![pair(b"a", 9, &long)]),
        ("nesting", vec![pair(b"a", 9, &many.repeat(50))]),
        (
            "alignment",
            vec![pair(b"general.alignment", 4, &24_u32.to_le_bytes())],
        ),
    ] {
        let mut bytes = header(3, 0, pairs.len() as u64);
        bytes.extend(pairs.concat());
        add(name, bytes);
    }
    for (name, tensors) in [
        (
            "twice",
            vec![tensor("t", &[8], 0, 0), tensor("t", &[8], 0, 32)],
        ),
        ("no-dimension", vec![tensor("t", &[], 0, 0)]),
        ("dimensions", vec![tensor("t", &[1; 5], 0, 0)]),
        ("removed-type", vec![tensor("t", &[32], 4, 0)]),
        ("overflow", vec![tensor("t", &[1 << 32, 1 << 32], 0, 0)]),
        ("empty", vec![tensor("t", &[0, u64::MAX, u64::MAX], 0, 0)]),
        ("half-a-block", vec![tensor("t", &[33], 8, 0)]),
        ("misaligned", vec![tensor("t", &[8], 0, 8)]),
        ("beyond", vec![tensor("t", &[8], 0, u64::MAX - 31)]),
        (
            "overlap",
            vec![tensor("inner", &[8], 0, 32), tensor("outer", &[32], 0, 0)],
        ),
    ] {
        let mut bytes = header(3, tensors.len() as u64, 0);
        bytes.extend(tensors.concat());
        bytes.resize(bytes.len().next_multiple_of(32) + 128, 0);
        add(&format!("tensor-{name}"), bytes);
    }
}

fn header(version: u32, tensors: u64, pairs: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(pairs.to_le_bytes());
    bytes
}

fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    bytes
}

fn pair(key: &[u8], kind: u32, value: &[u8]) -> Vec<u8> {
    [&text(key), kind.to_le_bytes().as_slice(), value].concat()
}

fn tensor(name: &str, shape: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = text(name.as_bytes());
    bytes.extend((shape.len() as u32).to_le_bytes());
    bytes.extend(shape.iter().flat_map(|size| size.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

/// The seven files of a folder.
type Files = [Vec<u8>; 7];

fn checkpoints(seeds: &mut Vec<Seed>) {
    let mut add = |name: &str, files: Files| {
        seeds.push((format!("checkpoint/{name}"), files.join(&BETWEEN)));
    };
    let whole = folder();
    let only = |at: usize, bytes: Vec<u8>| {
        let mut files = Files::default();
        files[at] = bytes;
        files
    };
    add("whole", whole.clone());
    for (at, name) in ["config", "tokenizer"].into_iter().enumerate() {
        add(name, only(at, whole[at].clone()));
    }
    for (name, tokenizer) in tokenizers() {
        let mut files = only(1, tokenizer.to_string().into_bytes());
        files[2] = json!({
            "eos_token": { "content": "</s>" }, "unk_token": "<unk>",
            "chat_template": [{ "name": "default", "template": "{{ messages }}" }],
        })
        .to_string()
        .into_bytes();
        add(name, files);
    }
    let config: Json = serde_json::from_slice(&whole[0]).expect("written by the fixtures");
    for (name, change) in configs() {
        let mut config = config.clone();
        for (field, value) in change.as_object().into_iter().flatten() {
            config[field] = value.clone();
        }
        add(name, only(0, config.to_string().into_bytes()));
    }
    let name = "model-00001-of-00002.safetensors";
    let index = json!({ "weight_map": { "a": name, "b": "model-00002-of-00002.safetensors" } });
    let one = |name: &str| {
        let header =
            format!(r#"{{"{name}":{{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]}}}}"#);
        weights(&header, &[1; 4])
    };
    let mut shards = Files::default();
    shards[4] = index.to_string().into_bytes();
    (shards[5], shards[6]) = (one("a"), one("b"));
    add("shards", shards);
    let index = json!({ "weight_map": { "a": "../../etc/passwd" } });
    add("refused-index", only(4, index.to_string().into_bytes()));
    for (name, header, data) in [
        ("empty", "{}", 0),
        (
            "offsets",
            r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,18446744073709551615]}}"#,
            9,
        ),
        (
            "overlap",
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
            12,
        ),
        (
            "type",
            r#"{"steps":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#,
            8,
        ),
        (
            "shape",
            r#"{"a":{"dtype":"BF16","shape":[4294967296,4294967296],"data_offsets":[0,2]}}"#,
            2,
        ),
    ] {
        add(
            &format!("weights-{name}"),
            only(5, weights(header, &vec![0; data])),
        );
    }
    add("refused-header", only(5, vec![0xfe; 64]));
}

fn weights(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = text(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// A policy so small that all of it is an input; the bytes of the vocabulary are spelt out by the target.
fn folder() -> Files {
    let mut model = RandomModel {
        weights: WeightType::Bf16,
        merges: 2,
        ..RandomModel::default()
    };
    model.config.hidden = 2;
    model.config.intermediate = 1;
    model.config.layers = 1;
    (model.config.heads, model.config.kv_heads) = (1, 1);
    (model.config.head_dim, model.config.rotary) = (2, 2);
    let folder = tempfile::tempdir().expect("a temporary folder");
    model.write(folder.path()).expect("the fixture is written");
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("written above");
    let compact = |name: &str| -> Json {
        serde_json::from_slice(&read(name)).expect("written by the fixtures")
    };
    let mut tokenizer = compact("tokenizer.json");
    let vocab = &mut tokenizer["model"]["vocab"];
    let letters = |_: &String, id: &mut Json| !(12..268).contains(&id.as_u64().unwrap_or(0));
    if let Some(vocab) = vocab.as_object_mut() {
        vocab.retain(letters);
    }
    tokenizer["model"]["vocab"][LETTERS] = json!(0);
    [
        compact("config.json").to_string().into_bytes(),
        tokenizer.to_string().into_bytes(),
        Vec::new(),
        compact("stride.json").to_string().into_bytes(),
        Vec::new(),
        read("model.safetensors"),
        Vec::new(),
    ]
}

/// Changes to a configuration.
fn configs() -> Vec<(&'static str, Json)> {
    let rope = |kind: &str, rest: Json| {
        let mut rope =
            json!({ "rope_type": kind, "factor": 4.0, "original_max_position_embeddings": 32 });
        for (field, value) in rest.as_object().into_iter().flatten() {
            rope[field] = value.clone();
        }
        json!({ "rope_scaling": rope })
    };
    vec![
        ("config-linear", rope("linear", json!({}))),
        ("config-yarn", rope("yarn", json!({}))),
        (
            "config-llama3",
            rope(
                "llama3",
                json!({ "low_freq_factor": 1.0, "high_freq_factor": 4.0 }),
            ),
        ),
        (
            "config-longrope",
            rope(
                "longrope",
                json!({ "long_factor": [1.0], "short_factor": [1.0] }),
            ),
        ),
        ("config-qwen3", json!({ "model_type": "qwen3" })),
        (
            "config-gemma3",
            json!({ "model_type": "gemma3_text", "sliding_window": 8, "query_pre_attn_scalar": 2,
                    "hidden_activation": "gelu_pytorch_tanh", "layer_types": ["sliding_attention", "full_attention"],
                    "rope_parameters": { "full_attention": { "rope_theta": 1e6 },
                                         "sliding_attention": { "rope_theta": 1e4 } } }),
        ),
        (
            "config-widths",
            json!({ "vocab_size": u64::MAX, "num_hidden_layers": 1_000_000_000 }),
        ),
    ]
}

/// Tokenizers that were not made here, of each kind, and the hostile ones.
fn tokenizers() -> Vec<(&'static str, Json)> {
    let added = |id: u32, content: &str| {
        json!({ "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let byte_level = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let replace = |pattern: &str, content: &str| json!({ "type": "Replace", "pattern": { "String": pattern }, "content": content });
    let words = |pre_tokenizer: &Json| {
        let vocab = json!({ LETTERS: 0, "ab": 268 });
        json!({
            "added_tokens": [added(0, "<|endoftext|>")], "normalizer": null, "pre_tokenizer": pre_tokenizer,
            "post_processor": null, "decoder": byte_level,
            "model": { "type": "BPE", "ignore_merges": false, "vocab": vocab, "merges": [["a", "b"]] },
        })
    };
    let unigram = |normalizer: Json| {
        json!({
            "added_tokens": [added(2, "</s>")], "normalizer": normalizer,
            "pre_tokenizer": { "type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": true },
            "post_processor": { "type": "TemplateProcessing",
                "single": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "SpecialToken": { "id": "</s>", "type_id": 0 } }],
                "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
                "special_tokens": { "</s>": { "id": "</s>", "ids": [2], "tokens": ["</s>"] } } },
            "model": { "type": "Unigram", "unk_id": 0, "byte_fallback": false,
                       "vocab": [["<unk>", 0.0], ["\u{2581}", -1.5], ["</s>", 0.0], ["a", -2.0], ["\u{2581}the", -3.0]] },
        })
    };
    let split = json!({ "type": "Sequence", "pretokenizers": [
        { "type": "Split", "pattern": { "Regex": "\\p{N}{1,3}|\\s+(?!\\S)" }, "behavior": "Isolated", "invert": false },
        { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
    ]});
    let growth: Vec<Json> = (0..40).map(|_| replace("a", "aa")).collect();
    let map = |base64: &str| json!({ "type": "Precompiled", "precompiled_charsmap": base64 });
    let mut far = unigram(Json::Null);
    far["added_tokens"][0]["id"] = json!(4_000_000);
    let pieces = json!({
        "added_tokens": [added(0, "<unk>")],
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "\u{2581}" }, replace(" ", "\u{2581}") ] },
        "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": { "type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
                   "vocab": { "<unk>": 0, BYTES: 0, "a": 268, "b": 269, "ab": 270 },
                   "merges": ["a b"] },
    });
    vec![
        ("words", words(&byte_level)),
        ("words-split", words(&split)),
        ("pieces", pieces),
        ("unigram", unigram(Json::Null)),
        ("unigram-map", unigram(map("BAAAAAAAAABhAA=="))),
        ("refused-map", unigram(map("/////w=="))),
        (
            "refused-growth",
            unigram(json!({ "type": "Sequence", "normalizers": growth })),
        ),
        ("refused-id", far),
    ]
}
