//! Every architecture, written out by hand from llama.cpp's loaders (`src/models/{llama,qwen2,qwen3}.cpp`), not from
//! the table under test.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use stride_convert::architecture::{Architecture, LLAMA, MISTRAL, QWEN2, QWEN3};
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{GgufFile, GgufWriter, TensorInfo, TensorType};
use stride_convert::quantize::{self, Recipe};
use stride_convert::source::{Checkpoint, WeightType};

use crate::support::{Folder, assert_says};

fn model(architecture: &'static Architecture) -> RandomModel {
    let mut model = RandomModel::default();
    model.config.architecture = architecture;
    model
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file as version 0.1.0 of this program would have signed it.
fn signed_by_0_1_0(bytes: &[u8]) -> Vec<u8> {
    let file = GgufFile::parse(bytes).unwrap();
    let mut metadata = file.metadata.clone();
    metadata.set("stride.converter", "stride-convert 0.1.0");
    assert!(metadata.remove("stride.recipe").is_some());
    let infos: Vec<TensorInfo> = file
        .tensors
        .iter()
        .map(|tensor| TensorInfo {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            kind: tensor.kind,
        })
        .collect();
    let mut writer = GgufWriter::start(Vec::new(), &metadata, &infos).unwrap();
    for tensor in &file.tensors {
        writer.write(file.bytes(tensor)).unwrap();
        writer.end_tensor().unwrap();
    }
    writer.finish().unwrap()
}

/// Digests of the files that version 0.1.0 wrote when Llama was all it knew, and with which the shipped policy was
/// made: the tables must not move a byte of them.
#[test]
fn llama_is_written_as_it_always_was() {
    let folder = Folder::new();
    for (recipe, digest) in [
        (
            Recipe::F32,
            "c745565b1d451d73d6860db637567b8fd616bb8dec0be1520fb63e7337a31bce",
        ),
        (
            Recipe::F16,
            "e7b519bffa8c289145959d26b13c10e41a03d0ac7226f19c0da54b7e9d5a3c1f",
        ),
        (
            Recipe::Q8_0,
            "eeaf32636781369e227b9344548e8edaccb821798e4a9f62ac9e73d2dcf6425d",
        ),
        (
            Recipe::Q4_0,
            "43ae59f0c5ec93dd62dd5a76ea6e66817b38b8675aa86d93101942bde6a63835",
        ),
    ] {
        let bytes = signed_by_0_1_0(&folder.exported(recipe));
        assert_eq!(hexadecimal(&Sha256::digest(&bytes)), digest, "{recipe}");
    }
}

/// Converts to F32 and compares names, shapes and weights with the checkpoint. `layer` lists what stands in a layer:
/// the name in the checkpoint, the name in the GGUF, the GGUF's shape, and whether rotary partners move together.
fn check(model: &RandomModel, layer: &[(&str, &str, &[u64], bool)]) {
    let folder = Folder::of(model);
    let bytes = folder.exported(Recipe::F32);
    let file = GgufFile::parse(&bytes).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let (vocab, hidden) = (checkpoint.config.vocab as u64, 64);
    let mut expected: Vec<(String, String, Vec<u64>, bool)> = vec![
        (
            "model.embed_tokens.weight".into(),
            "token_embd.weight".into(),
            vec![hidden, vocab],
            false,
        ),
        (
            "model.norm.weight".into(),
            "output_norm.weight".into(),
            vec![hidden],
            false,
        ),
    ];
    if !model.config.tied {
        expected.push((
            "lm_head.weight".into(),
            "output.weight".into(),
            vec![hidden, vocab],
            false,
        ));
    }
    for block in 0..2 {
        for &(from, to, shape, moved) in layer {
            expected.push((
                format!("model.layers.{block}.{from}"),
                format!("blk.{block}.{to}"),
                shape.to_vec(),
                moved,
            ));
        }
    }
    assert_eq!(file.tensors.len(), expected.len());
    for (from, to, shape, moved) in expected {
        let tensor = file.tensor(&to).expect(&to);
        assert_eq!((&tensor.shape, tensor.kind), (&shape, TensorType::F32));
        let entry = checkpoint.weights.get(&from).expect(&from);
        let (mut wanted, mut got) = (Vec::new(), Vec::new());
        entry
            .kind
            .decode(checkpoint.weights.bytes(entry), &mut wanted);
        quantize::decode_row(tensor.kind, file.bytes(tensor), &mut got).unwrap();
        if moved {
            // Row 1 of the GGUF is the partner of row 0: it stood half a head, 8 rows, further down.
            let row = |weights: &[f32], row: usize| weights[row * 64..(row + 1) * 64].to_vec();
            assert_eq!(row(&got, 0), row(&wanted, 0), "{to}");
            assert_eq!(row(&got, 1), row(&wanted, 8), "{to}");
            assert_eq!(row(&got, 2), row(&wanted, 1), "{to}");
        } else {
            assert_eq!(got, wanted, "{to}");
        }
    }
}

// Four heads of 16 over two key-value heads, width 64, feed-forward 160: the default of `RandomModel`.
const LLAMA_LAYER: &[(&str, &str, &[u64], bool)] = &[
    ("input_layernorm.weight", "attn_norm.weight", &[64], false),
    ("self_attn.q_proj.weight", "attn_q.weight", &[64, 64], true),
    ("self_attn.k_proj.weight", "attn_k.weight", &[64, 32], true),
    ("self_attn.v_proj.weight", "attn_v.weight", &[64, 32], false),
    (
        "self_attn.o_proj.weight",
        "attn_output.weight",
        &[64, 64],
        false,
    ),
    (
        "post_attention_layernorm.weight",
        "ffn_norm.weight",
        &[64],
        false,
    ),
    ("mlp.gate_proj.weight", "ffn_gate.weight", &[64, 160], false),
    ("mlp.up_proj.weight", "ffn_up.weight", &[64, 160], false),
    ("mlp.down_proj.weight", "ffn_down.weight", &[160, 64], false),
];

/// The layer of Llama with no row moved and `more` tensors.
fn kept(
    more: &[(&'static str, &'static str, &'static [u64], bool)],
) -> Vec<(&'static str, &'static str, &'static [u64], bool)> {
    let kept = LLAMA_LAYER
        .iter()
        .map(|&(from, to, shape, _)| (from, to, shape, false));
    kept.chain(more.iter().copied()).collect()
}

#[test]
fn llama_and_mistral_have_the_same_tensors() {
    check(&model(&LLAMA), LLAMA_LAYER);
    let mut mistral = model(&MISTRAL);
    mistral.config.tied = false;
    check(&mistral, LLAMA_LAYER);
}

#[test]
fn qwen2_has_biases_and_moves_no_rows() {
    let layer = kept(&[
        ("self_attn.q_proj.bias", "attn_q.bias", &[64], false),
        ("self_attn.k_proj.bias", "attn_k.bias", &[32], false),
        ("self_attn.v_proj.bias", "attn_v.bias", &[32], false),
    ]);
    check(&model(&QWEN2), &layer);
}

#[test]
fn qwen3_has_a_norm_in_every_head_and_moves_no_rows() {
    let layer = kept(&[
        (
            "self_attn.q_norm.weight",
            "attn_q_norm.weight",
            &[16],
            false,
        ),
        (
            "self_attn.k_norm.weight",
            "attn_k_norm.weight",
            &[16],
            false,
        ),
    ]);
    check(&model(&QWEN3), &layer);
}

#[test]
fn biases_and_norms_stay_f32_in_every_recipe() {
    for architecture in [&QWEN2, &QWEN3] {
        let folder = Folder::of(&model(architecture));
        for recipe in Recipe::ALL {
            let bytes = folder.exported(recipe);
            let file = GgufFile::parse(&bytes).unwrap();
            for tensor in &file.tensors {
                if tensor.name.ends_with(".bias") || tensor.name.ends_with("norm.weight") {
                    assert_eq!(tensor.kind, TensorType::F32, "{}", tensor.name);
                }
            }
        }
    }
}

#[test]
fn the_keys_carry_the_name_of_the_architecture() {
    let mut mistral = model(&MISTRAL);
    mistral.config.window = Some(512);
    for (model, name, window, rotary) in [
        (model(&LLAMA), "llama", None, Some(16)),
        (mistral, "llama", Some(512), Some(16)),
        (model(&QWEN2), "qwen2", None, None),
        (model(&QWEN3), "qwen3", None, None),
    ] {
        let bytes = Folder::of(&model).exported(Recipe::F32);
        let file = GgufFile::parse(&bytes).unwrap();
        let metadata = &file.metadata;
        assert_eq!(metadata.text("general.architecture"), Some(name));
        let number = |key: &str| metadata.unsigned(&format!("{name}.{key}"));
        assert_eq!(number("block_count"), Some(2));
        assert_eq!(number("context_length"), Some(2048));
        assert_eq!(number("embedding_length"), Some(64));
        assert_eq!(number("feed_forward_length"), Some(160));
        assert_eq!(number("attention.head_count"), Some(4));
        assert_eq!(number("attention.head_count_kv"), Some(2));
        assert_eq!(number("attention.key_length"), Some(16));
        assert_eq!(number("attention.value_length"), Some(16));
        assert_eq!(number("attention.sliding_window"), window);
        assert_eq!(number("rope.dimension_count"), rotary);
        for key in ["attention.layer_norm_rms_epsilon", "rope.freq_base"] {
            assert!(metadata.get(&format!("{name}.{key}")).is_some(), "{key}");
        }
    }
}

#[test]
fn what_llama_cpp_would_compute_differently_is_refused() {
    let refusal = |architecture, field: &str, value: serde_json::Value| {
        let folder = Folder::of(&model(architecture));
        folder.edit("config.json", |config| config[field] = value);
        folder.refusal(Recipe::F32)
    };
    let text = refusal(&QWEN2, "use_sliding_window", true.into());
    assert_says(&text, &["config.json", "use_sliding_window"]);
    let text = refusal(&QWEN3, "layer_types", vec!["sliding_attention"].into());
    assert_says(&text, &["layer_types", "sliding_attention"]);
    let text = refusal(&QWEN2, "head_dim", 8.into());
    assert_says(&text, &["head_dim", "hidden_size 64"]);
    let text = refusal(&QWEN3, "head_dim", serde_json::Value::Null);
    assert_says(&text, &["head_dim", "state it"]);
    let text = refusal(&MISTRAL, "sliding_window", 0.into());
    assert_says(&text, &["sliding_window", "allowed"]);
    let text = refusal(&LLAMA, "model_type", "phi2".into());
    assert_says(&text, &["model_type", "phi2", "\"qwen3\""]);
}

#[test]
fn a_bias_that_another_architecture_has_is_refused() {
    let folder = Folder::of(&model(&QWEN2));
    folder.edit("config.json", |config| {
        config["model_type"] = "llama".into()
    });
    let text = folder.refusal(Recipe::F32);
    assert_says(&text, &["bias", "the architecture llama does not have"]);
}

/// Everything but the list of source files.
fn content(bytes: &[u8]) -> (BTreeMap<String, Vec<u8>>, Vec<String>) {
    let file = GgufFile::parse(bytes).unwrap();
    let tensors = file
        .tensors
        .iter()
        .map(|tensor| (tensor.name.clone(), file.bytes(tensor).to_vec()))
        .collect();
    let sources = file.metadata.texts("stride.source.files").unwrap().to_vec();
    (tensors, sources)
}

#[test]
fn shards_make_the_same_tensors_as_one_file() {
    for weights in [WeightType::F32, WeightType::F16, WeightType::Bf16] {
        let mut whole = model(&QWEN3);
        whole.weights = weights;
        let mut sharded = whole.clone();
        sharded.shards = 3;
        let (expected, _) = content(&Folder::of(&whole).exported(Recipe::Q8_0));
        let (tensors, sources) = content(&Folder::of(&sharded).exported(Recipe::Q8_0));
        assert_eq!(tensors, expected, "{weights}");
        assert_eq!(
            sources[3..],
            [
                "model.safetensors.index.json",
                "model-00001-of-00003.safetensors",
                "model-00002-of-00003.safetensors",
                "model-00003-of-00003.safetensors",
            ]
        );
    }
}

const INDEX: &str = "model.safetensors.index.json";
const NORM: &str = "model.norm.weight";

/// Changes the index of three shards and returns the refusal.
fn with_index(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let sharded = RandomModel {
        shards: 3,
        ..RandomModel::default()
    };
    let folder = Folder::of(&sharded);
    folder.edit(INDEX, |index| change(&mut index["weight_map"]));
    folder.refusal(Recipe::F32)
}

#[test]
fn an_index_cannot_lead_out_of_the_folder() {
    for name in [
        "../model.safetensors",
        "/etc/passwd",
        ".hidden.safetensors",
        "model.bin",
        "a\u{0}.safetensors",
    ] {
        let text = with_index(|map| map[NORM] = name.into());
        assert_says(&text, &[INDEX, "weight_map", "beside the index"]);
    }
}

#[test]
fn an_index_that_contradicts_its_files_is_refused() {
    let text =
        with_index(|map| map["model.extra.weight"] = "model-00001-of-00003.safetensors".into());
    assert_says(&text, &["model.extra.weight", "does not hold it"]);
    let text = with_index(|map| {
        map.as_object_mut().unwrap().remove(NORM);
    });
    assert_says(&text, &["does not list", NORM]);
    let text = with_index(|map| map[NORM] = "model-00004-of-00004.safetensors".into());
    assert_says(&text, &["model-0000"]);
    let text = with_index(|map| *map = serde_json::json!({}));
    assert_says(&text, &["names 0 files"]);
    let many: BTreeMap<String, String> = (0..2000)
        .map(|at| (format!("t{at}"), format!("{at}.safetensors")))
        .collect();
    let text = with_index(|map| *map = serde_json::json!(many));
    assert_says(&text, &["names 2000 files"]);
}

#[test]
fn a_shard_that_is_missing_is_named() {
    let sharded = RandomModel {
        shards: 2,
        ..RandomModel::default()
    };
    let folder = Folder::of(&sharded);
    std::fs::remove_file(folder.file("model-00002-of-00002.safetensors")).unwrap();
    let text = folder.refusal(Recipe::F32);
    assert_says(&text, &["cannot read", "model-00002-of-00002.safetensors"]);
}
