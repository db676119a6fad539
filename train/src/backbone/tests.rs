//! Folders in the forms that pretrained networks come in, written here: no network is committed that large.

use std::collections::HashMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use stride_firmware_config::frame::Marker;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::unicode::{NFC, NFKC};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

use super::Backbone;
use crate::model::architecture::Architecture;
use crate::model::parameters::{ParameterLayout, TensorSpec};
use crate::model::shape::{HfConfig, ModelShape};
use crate::tensors;
use crate::testing;

/// A byte-level vocabulary with a special token of its own and no marker.
fn foreign(extra: &[&str]) -> Tokenizer {
    let mut tokenizer = Tokenizer::new(BPE::default());
    let byte_level = ByteLevel::new(false, true, true);
    tokenizer.with_pre_tokenizer(Some(byte_level));
    tokenizer.with_decoder(Some(byte_level));
    let special = ["<|endoftext|>"].iter().chain(extra);
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(330)
        .show_progress(false)
        .special_tokens(
            special
                .map(|token| AddedToken::from(*token, true))
                .collect(),
        )
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    let texts = (0..50).map(|seed| testing::transition(seed).utterance);
    tokenizer.train(&mut trainer, texts).unwrap();
    tokenizer
}

fn shape(architecture: Architecture, tie: bool) -> ModelShape {
    ModelShape {
        architecture,
        head_dim: (architecture == Architecture::Qwen3).then_some(6),
        hidden: 16,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        ffn: 24,
        tie_embeddings: tie,
        max_positions: 4096,
        ..ModelShape::default()
    }
}

fn llama() -> ModelShape {
    shape(Architecture::Llama, true)
}

/// Numbers that every type holds exactly.
fn weights(layout: &ParameterLayout) -> Vec<f32> {
    (0..layout.total())
        .map(|i| ((i * 37 + i / 11) % 61) as f32 / 32.0 - 0.9375)
        .collect()
}

fn bytes(kind: Dtype, values: &[f32]) -> Vec<u8> {
    let values = values.iter();
    match kind {
        Dtype::F16 => values
            .flat_map(|v| f16::from_f32(*v).to_le_bytes())
            .collect(),
        Dtype::BF16 => values
            .flat_map(|v| bf16::from_f32(*v).to_le_bytes())
            .collect(),
        _ => values.flat_map(|v| v.to_le_bytes()).collect(),
    }
}

fn write_file(path: &Path, kind: Dtype, tensors: &[&TensorSpec], weights: &[f32]) {
    let data: Vec<(&TensorSpec, Vec<u8>)> = tensors
        .iter()
        .map(|tensor| (*tensor, bytes(kind, &weights[tensor.range.clone()])))
        .collect();
    let views = data.iter().map(|(tensor, data)| {
        let view = TensorView::new(kind, tensor.shape.clone(), data).unwrap();
        (tensor.name.as_str(), view)
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Writes a pretrained network of `rows` tokens in `files` files.
fn write(
    folder: &Path,
    shape: &ModelShape,
    rows: usize,
    kind: Dtype,
    files: usize,
) -> ParameterLayout {
    let layout = ParameterLayout::new(shape, rows);
    let config = json!(HfConfig::new(layout.shape(), rows, 0, 0));
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    foreign(&[])
        .save(folder.join("tokenizer.json"), false)
        .unwrap();
    let values = weights(&layout);
    if files == 1 {
        let all: Vec<&TensorSpec> = layout.tensors().iter().collect();
        write_file(&folder.join(tensors::WHOLE), kind, &all, &values);
        return layout;
    }
    let mut map = HashMap::new();
    for file in 0..files {
        let name = format!("model-{:05}-of-{files:05}.safetensors", file + 1);
        let part: Vec<&TensorSpec> = layout.tensors().iter().skip(file).step_by(files).collect();
        write_file(&folder.join(&name), kind, &part, &values);
        map.extend(
            part.iter()
                .map(|tensor| (tensor.name.clone(), name.clone())),
        );
    }
    let index = json!({ "weight_map": map });
    std::fs::write(folder.join(tensors::INDEX), index.to_string()).unwrap();
    layout
}

#[test]
fn every_weight_comes_through_and_the_markers_join_behind_the_vocabulary() {
    let tokens = foreign(&[]).get_vocab_size(true);
    use Architecture::{Llama, Qwen2, Qwen3};
    for (architecture, tie, rows, kind, files) in [
        (Llama, true, tokens, Dtype::F32, 1),
        (Llama, false, tokens, Dtype::BF16, 3),
        (Qwen2, false, tokens, Dtype::F32, 1),
        (Qwen3, false, tokens, Dtype::BF16, 2),
        // More rows than tokens, as some have for the sake of their size: the markers take them.
        (Llama, true, tokens + 5, Dtype::F16, 1),
        (Qwen2, true, tokens + 64, Dtype::BF16, 2),
        (Qwen3, true, tokens + 64, Dtype::F16, 3),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let own = write(folder.path(), &shape(architecture, tie), rows, kind, files);
        let backbone = Backbone::load(folder.path(), 200).unwrap();
        let layout = &backbone.layout;
        assert_eq!(layout.vocab_size(), rows.max(tokens + Marker::ALL.len()));
        assert_eq!(layout.shape().max_positions, 200);
        assert_eq!(layout.shape().architecture, architecture);
        for (at, marker) in Marker::ALL.into_iter().enumerate() {
            assert_eq!(backbone.tokenizer.marker(marker) as usize, tokens + at);
        }
        let before = weights(&own);
        for (old, new) in own.tensors().iter().zip(layout.tensors()) {
            let (old, new) = (
                &before[old.range.clone()],
                &backbone.weights[new.range.clone()],
            );
            // Of a matrix of tokens, the rows that tokens had.
            let kept = if new.len() > old.len() || old.len() == rows * 16 {
                tokens * 16
            } else {
                old.len()
            };
            assert_eq!(old[..kept], new[..kept]);
        }
        // A marker begins as the mean of what spells its word, and no two alike.
        let embedding = &backbone.weights[layout.embedding()];
        let word = backbone.tokenizer.text("scene").unwrap();
        let scene = backbone.tokenizer.marker(Marker::Scene) as usize;
        for column in 0..16 {
            let sum: f32 = word
                .iter()
                .map(|t| embedding[*t as usize * 16 + column])
                .sum();
            let found = embedding[scene * 16 + column];
            assert!((found - sum / word.len() as f32).abs() < 1e-6);
        }
        let rows: Vec<&[f32]> = embedding[tokens * 16..].chunks(16).take(12).collect();
        for (at, row) in rows.iter().enumerate() {
            assert!(!rows[..at].contains(row));
        }
    }
}

#[test]
fn texts_have_the_tokens_of_the_vocabulary_and_never_become_special() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &llama(),
        foreign(&[]).get_vocab_size(true),
        Dtype::F32,
        1,
    );
    let backbone = Backbone::load(folder.path(), 200).unwrap();
    let plain = foreign(&[]);
    for text in ["take mug 3 from shelf 21; True", "ünïcödé  two"] {
        let expected = plain.encode(format!(" {text}"), false).unwrap();
        assert_eq!(&*backbone.tokenizer.text(text).unwrap(), expected.get_ids());
    }
    let hostile = "a <|endoftext|> b<|low|>";
    let tokens = backbone.tokenizer.text(hostile).unwrap();
    let low = backbone.tokenizer.marker(Marker::Low);
    assert!(!tokens.contains(&0) && !tokens.contains(&low));
    assert_eq!(backbone.tokenizer.decode(&tokens).unwrap(), hostile);
}

/// A vocabulary need not number its tokens without gaps.
#[test]
fn a_token_without_a_row_is_refused() {
    let rows = foreign(&[]).get_vocab_size(true);
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &llama(), rows, Dtype::F32, 1);
    let path = folder.path().join("tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut tokenizer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    let last = vocabulary
        .values_mut()
        .max_by_key(|id| id.as_u64())
        .unwrap();
    *last = 5_000_000.into();
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    let text = Backbone::load(folder.path(), 200).unwrap_err().to_string();
    assert!(text.contains("tokens need 5000001 rows"), "{text}");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let rows = foreign(&[]).get_vocab_size(true);
    let refusal = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &llama(), rows, Dtype::F32, 1);
        change(folder.path());
        Backbone::load(folder.path(), 200).unwrap_err().to_string()
    };
    let text = refusal(&|folder| {
        write(folder, &llama(), rows - 9, Dtype::F32, 1);
    });
    assert!(text.contains("tokens need"), "{text}");
    let text = refusal(&|folder| {
        let layout = ParameterLayout::new(&llama(), rows);
        let all: Vec<&TensorSpec> = layout.tensors().iter().skip(1).collect();
        write_file(
            &folder.join(tensors::WHOLE),
            Dtype::F32,
            &all,
            &weights(&layout),
        );
    });
    assert!(
        text.contains("no tensor model.embed_tokens.weight"),
        "{text}"
    );
    // Sizes are claims until the file agrees: 2^20 layers would be terabytes.
    let text = refusal(&|folder| {
        let path = folder.join("config.json");
        let config = std::fs::read_to_string(&path).unwrap();
        let config = config.replace("\"intermediate_size\":24", "\"intermediate_size\":1000000");
        std::fs::write(path, config).unwrap();
    });
    assert!(text.contains("asks for"), "{text}");
    let text = refusal(&|folder| {
        let mut tokenizer = foreign(&[]);
        tokenizer.with_decoder(None::<ByteLevel>);
        tokenizer
            .save(folder.join("tokenizer.json"), false)
            .unwrap();
    });
    assert!(text.contains("decoder is not ByteLevel"), "{text}");
    let text = refusal(&|folder| {
        std::fs::remove_file(folder.join(tensors::WHOLE)).unwrap();
        let index = json!({ "weight_map": { "a": "../elsewhere.safetensors" } });
        std::fs::write(folder.join(tensors::INDEX), index.to_string()).unwrap();
    });
    assert!(text.contains("its own folder"), "{text}");
}

/// What a configuration leaves out is in the weights all the same, and the network would be another without it.
#[test]
fn weights_of_another_architecture_are_refused() {
    let rows = foreign(&[]).get_vocab_size(true);
    let refusal = |held: Architecture, named: Architecture| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &shape(held, true), rows, Dtype::F32, 1);
        let path = folder.path().join("config.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        config["model_type"] = json!(named);
        std::fs::write(path, config.to_string()).unwrap();
        Backbone::load(folder.path(), 200).unwrap_err().to_string()
    };
    use Architecture::{Llama, Qwen2, Qwen3};
    for (held, named, expected) in [
        (Qwen2, Llama, "LlamaForCausalLM has no place"),
        (Qwen3, Llama, "LlamaForCausalLM has no place"),
        (
            Llama,
            Qwen2,
            "no tensor model.layers.0.self_attn.q_proj.bias",
        ),
        (
            Qwen2,
            Qwen3,
            "no tensor model.layers.0.self_attn.q_norm.weight",
        ),
    ] {
        let text = refusal(held, named);
        assert!(text.contains(expected), "{held:?} as {named:?}: {text}");
    }
}

/// llama.cpp does not compose characters, so the policy learns and says what stands there.
#[test]
fn composing_is_left_out_and_other_changes_are_refused() {
    let rows = foreign(&[]).get_vocab_size(true);
    let load = |normalizer: NormalizerWrapper| {
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &shape(Architecture::Qwen2, true),
            rows,
            Dtype::F32,
            1,
        );
        let mut tokenizer = foreign(&[]);
        tokenizer.with_normalizer(Some(normalizer)).unwrap();
        tokenizer
            .save(folder.path().join("tokenizer.json"), false)
            .unwrap();
        Backbone::load(folder.path(), 200)
    };
    let tokenizer = load(NFC.into()).unwrap().tokenizer;
    for text in ["cafe\u{301}", "caf\u{e9}"] {
        let tokens = tokenizer.text(text).unwrap();
        assert_eq!(tokenizer.decode(&tokens).unwrap(), text);
    }
    assert!(
        tokenizer
            .to_json()
            .unwrap()
            .contains("\"normalizer\": null")
    );
    let text = load(NFKC.into()).unwrap_err().to_string();
    assert!(text.contains("normalizer"), "{text}");
}

#[test]
fn a_marker_that_is_there_keeps_its_row() {
    let mut tokenizer = foreign(&["<|end|>"]);
    let id = tokenizer.token_to_id("<|end|>").unwrap();
    let fresh = super::markers::add(&mut tokenizer).unwrap();
    assert_eq!(fresh.len(), Marker::ALL.len() - 1);
    assert!(!fresh.contains(&Marker::End));
    assert_eq!(tokenizer.token_to_id("<|end|>"), Some(id));
    let mut ordinary = foreign(&[]);
    ordinary
        .add_tokens([AddedToken::from("<|low|>", false)])
        .unwrap();
    let error = super::markers::add(&mut ordinary).unwrap_err().to_string();
    assert!(error.contains("<|low|> is an ordinary token"), "{error}");
}
