//! The metadata of a policy: llama.cpp's keys, and ours under `stride.`.

use stride_firmware_config::frame::Marker;

use crate::gguf::Metadata;
use crate::quantize::{Recipe, TypeChoice};
use crate::source::{Checkpoint, ModelConfig, Provenance, Tokenizer};

/// Version of the prompt layout the policy was trained on. Absent when the checkpoint had no `stride.json`.
pub const LAYOUT_VERSION_KEY: &str = "stride.layout.version";
/// The markers, as an array of strings in the order of their ids.
pub const MARKERS_KEY: &str = "stride.markers";
/// The model card, Markdown or JSON.
pub const CARD_KEY: &str = "stride.card";
/// Prefix of the bytes that each text of a frame may have.
pub const CAPACITY_PREFIX: &str = "stride.capacity.";
/// Prefix of the tokens that an utterance of a level may have.
pub const UTTERANCE_PREFIX: &str = "stride.utterance_tokens.";
/// Names of the files the GGUF was made from.
pub const SOURCE_FILES_KEY: &str = "stride.source.files";
/// Their SHA-256, in the same order.
pub const SOURCE_SHA256_KEY: &str = "stride.source.sha256";
/// In a file that was made of another GGUF: the files that one was made of, and their SHA-256.
pub const ORIGIN_FILES_KEY: &str = "stride.origin.files";
/// See [`ORIGIN_FILES_KEY`].
pub const ORIGIN_SHA256_KEY: &str = "stride.origin.sha256";
/// What was asked for as `--type`.
pub const RECIPE_KEY: &str = "stride.recipe";
/// What was asked for as `--tensor-type`; absent where nothing was.
pub const OVERRIDES_KEY: &str = "stride.recipe.overrides";
/// Name and version of this program.
pub const CONVERTER_KEY: &str = "stride.converter";

/// `general.quantization_version`, the version of ggml's block formats.
const QUANTIZATION_VERSION: u32 = 2;
/// Token types of llama.cpp (`enum llama_token_type`).
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const UNUSED: i32 = 5;

/// All metadata of `checkpoint` under `types`. Nothing in it depends on when or where it was made.
#[must_use]
pub fn of(checkpoint: &Checkpoint, types: &TypeChoice) -> Metadata {
    let mut metadata = Metadata::new();
    general(&mut metadata, checkpoint, types.recipe);
    hyperparameters(&mut metadata, &checkpoint.config);
    vocabulary(&mut metadata, &checkpoint.tokenizer, &checkpoint.config);
    policy(&mut metadata, checkpoint);
    provenance(&mut metadata, &checkpoint.provenance, types);
    metadata
}

/// From what, as what and by what the file was made.
pub(crate) fn provenance(metadata: &mut Metadata, sources: &[Provenance], types: &TypeChoice) {
    let (files, digests): (Vec<String>, Vec<String>) = sources
        .iter()
        .map(|source| (source.file.clone(), source.sha256.clone()))
        .unzip();
    metadata.set(SOURCE_FILES_KEY, files);
    metadata.set(SOURCE_SHA256_KEY, digests);
    metadata.set(
        CONVERTER_KEY,
        concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    );
    metadata.set(RECIPE_KEY, types.recipe.name());
    metadata.remove(OVERRIDES_KEY);
    if !types.overrides.is_empty() {
        let overrides: Vec<String> = types.overrides.iter().map(ToString::to_string).collect();
        metadata.set(OVERRIDES_KEY, overrides);
    }
}

/// Brings the metadata of a GGUF up to date that is stored anew under `types`. What stood there first about where the
/// weights come from stays under `stride.origin`.
pub(crate) fn requantized(metadata: &mut Metadata, sources: &[Provenance], types: &TypeChoice) {
    for (source, origin) in [
        (SOURCE_FILES_KEY, ORIGIN_FILES_KEY),
        (SOURCE_SHA256_KEY, ORIGIN_SHA256_KEY),
    ] {
        if let Some(value) = metadata.remove(source)
            && metadata.get(origin).is_none()
        {
            metadata.set(origin, value);
        }
    }
    metadata.set("general.file_type", types.recipe.file_type());
    metadata.set("general.quantization_version", QUANTIZATION_VERSION);
    provenance(metadata, sources, types);
}

fn general(metadata: &mut Metadata, checkpoint: &Checkpoint, recipe: Recipe) {
    metadata.set("general.architecture", checkpoint.config.architecture.name);
    metadata.set("general.type", "model");
    let texts = checkpoint.policy.as_ref().map(|policy| {
        [
            ("general.name", &policy.name),
            ("general.author", &policy.author),
            ("general.license", &policy.license),
            ("general.description", &policy.description),
        ]
    });
    for (key, text) in texts.into_iter().flatten() {
        if let Some(text) = text {
            metadata.set(key, text.as_str());
        }
    }
    metadata.set("general.file_type", recipe.file_type());
    metadata.set("general.quantization_version", QUANTIZATION_VERSION);
}

fn hyperparameters(metadata: &mut Metadata, config: &ModelConfig) {
    let architecture = config.architecture;
    let key = |name: &str| format!("{}.{name}", architecture.name);
    for (name, size) in architecture.sizes {
        if let Some(size) = size(config) {
            // The configuration is bounded far below 2^32.
            metadata.set(key(name), size as u32);
        }
    }
    metadata.set(key("attention.layer_norm_rms_epsilon"), config.rms_eps);
    metadata.set(key("rope.freq_base"), config.rope_theta);
}

/// Rows of the embedding beyond the vocabulary become unused tokens `[PAD..]`, as in `convert_hf_to_gguf.py`.
fn vocabulary(metadata: &mut Metadata, tokenizer: &Tokenizer, config: &ModelConfig) {
    let known = tokenizer.tokens.len();
    let mut tokens = tokenizer.tokens.clone();
    tokens.extend((known..config.vocab).map(|id| format!("[PAD{id}]")));
    let kind = |id| match id {
        marker if marker < Marker::ALL.len() => CONTROL,
        token if token < known => NORMAL,
        _ => UNUSED,
    };
    let kinds: Vec<i32> = (0..tokens.len()).map(kind).collect();
    let merges = tokenizer
        .merges
        .iter()
        .map(|(left, right)| format!("{left} {right}"))
        .collect::<Vec<_>>();
    metadata.set("tokenizer.ggml.model", "gpt2");
    metadata.set("tokenizer.ggml.pre", "gpt-2");
    metadata.set("tokenizer.ggml.tokens", tokens);
    metadata.set("tokenizer.ggml.token_type", kinds);
    metadata.set("tokenizer.ggml.merges", merges);
    metadata.set("tokenizer.ggml.bos_token_id", Marker::Begin as u32);
    metadata.set("tokenizer.ggml.eos_token_id", Marker::End as u32);
    metadata.set("tokenizer.ggml.add_bos_token", false);
    metadata.set("tokenizer.ggml.add_eos_token", false);
    metadata.set("tokenizer.ggml.add_space_prefix", false);
}

fn policy(metadata: &mut Metadata, checkpoint: &Checkpoint) {
    let markers: Vec<String> = Marker::ALL.map(|marker| marker.token().to_owned()).into();
    if let Some(policy) = &checkpoint.policy {
        metadata.set(LAYOUT_VERSION_KEY, policy.layout_version);
        for (name, &bytes) in &policy.capacities {
            metadata.set(format!("{CAPACITY_PREFIX}{name}"), bytes);
        }
        for (level, &tokens) in &policy.utterance_tokens {
            metadata.set(format!("{UTTERANCE_PREFIX}{level}"), tokens);
        }
    }
    metadata.set(MARKERS_KEY, markers);
    if let Some(card) = checkpoint
        .policy
        .as_ref()
        .and_then(|policy| policy.card.as_deref())
    {
        metadata.set(CARD_KEY, card);
    }
}
