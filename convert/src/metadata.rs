//! The metadata of a policy: llama.cpp's keys, and ours under `stride.`.

mod vocabulary;

use stride_firmware_config::frame::Marker;

use crate::gguf::Metadata;
use crate::quantize::{Recipe, TypeChoice};
use crate::source::rope::Scaling;
use crate::source::{Checkpoint, ModelConfig, Provenance};

/// Version of the prompt layout the policy was trained on. Absent when the checkpoint had no `stride.json`.
pub const LAYOUT_VERSION_KEY: &str = "stride.layout.version";
/// The markers, as an array of strings in the order of their ids.
pub const MARKERS_KEY: &str = "stride.markers";
/// The model card, Markdown or JSON.
pub const CARD_KEY: &str = "stride.card";
/// Prefix of the bytes that each text of a frame may have, and of the number of issued subtasks that the policy reads.
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
/// Its value.
pub(crate) const CONVERTER: &str = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));

/// `general.quantization_version`, the version of ggml's block formats.
const QUANTIZATION_VERSION: u32 = 2;

/// All metadata of `checkpoint` under `types`. Nothing in it depends on when or where it was made.
#[must_use]
pub fn of(checkpoint: &Checkpoint, types: &TypeChoice) -> Metadata {
    let mut metadata = Metadata::new();
    general(&mut metadata, checkpoint, types.recipe);
    hyperparameters(&mut metadata, &checkpoint.config);
    vocabulary::set(&mut metadata, &checkpoint.tokenizer, &checkpoint.config);
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
    metadata.set(CONVERTER_KEY, CONVERTER);
    metadata.set(RECIPE_KEY, types.recipe.name());
    if let Some(importance) = &types.importance {
        // The keys of llama-quantize.
        metadata.set("quantize.imatrix.file", importance.file.as_str());
        if let Some(dataset) = &importance.dataset {
            metadata.set("quantize.imatrix.dataset", dataset.as_str());
        }
        metadata.set("quantize.imatrix.entries_count", importance.len() as u32);
        metadata.set("quantize.imatrix.chunks_count", importance.chunks);
    }
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
    let foreign = checkpoint.tokenizer.foreign.as_deref();
    if let Some(name) = foreign.and_then(|foreign| foreign.rules.needed_name()) {
        metadata.set("general.name", name);
    }
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
    for (name, number) in architecture.reals {
        if let Some(number) = number(config) {
            metadata.set(key(name), number);
        }
    }
    let mut scaled = |kind: &str, factor: Option<f32>, original: Option<u32>, attention: f32| {
        metadata.set(key("rope.scaling.type"), kind);
        if let Some(factor) = factor {
            metadata.set(key("rope.scaling.factor"), factor);
        }
        if let Some(original) = original {
            metadata.set(key("rope.scaling.original_context_length"), original);
        }
        if attention != 1.0 {
            metadata.set(key("rope.scaling.attn_factor"), attention);
        }
    };
    match config.scaling {
        // The factors of Llama 3 are a tensor, and llama.cpp knows no name for them.
        Scaling::None | Scaling::Llama3 { .. } => {}
        Scaling::Linear { factor } => scaled("linear", Some(factor), None, 1.0),
        Scaling::Yarn {
            factor,
            original,
            attention,
        } => {
            scaled("yarn", Some(factor), Some(original), attention);
        }
        Scaling::LongRope {
            original,
            attention,
            ..
        } => {
            scaled("longrope", None, Some(original), attention);
        }
    }
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
    let foreign = checkpoint.tokenizer.foreign.as_deref();
    if foreign.is_none_or(|foreign| foreign.speaks_layout) {
        metadata.set(MARKERS_KEY, markers);
    }
    if let Some(card) = checkpoint
        .policy
        .as_ref()
        .and_then(|policy| policy.card.as_deref())
    {
        metadata.set(CARD_KEY, card);
    }
}
