//! What is written reads back: metadata, shapes, rows in llama.cpp's order, weights within the bounds of their type.

use proptest::prelude::*;
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{Array, GgufFile, TensorEntry, TensorType, Value};
use stride_convert::quantize::{self, Recipe};
use stride_convert::source::{Checkpoint, ModelConfig, WeightType};

use crate::support::Folder;

/// Distance of a weight from what was stored, relative to the largest weight of the tensor.
fn relative_bound(kind: TensorType) -> f32 {
    match kind {
        TensorType::F32 => 0.0,
        // Half a unit in the last of 11 binary places, and the subnormals.
        TensorType::F16 => 1.0 / 2048.0,
        // Half of 1/127, and the scale's own rounding.
        TensorType::Q8_0 => 0.5 / 127.0 + 1.0 / 2048.0,
        // One whole step of eight, and the scale's own rounding.
        TensorType::Q4_0 => 1.0 / 8.0 + 1.0 / 2048.0,
        // Half a unit in the last of 8 binary places.
        TensorType::BF16 => 1.0 / 256.0,
        TensorType::Q5_0 => 1.0 / 16.0 + 1.0 / 2048.0,
        // Half a step of twice the largest weight, and the rounding of scale and minimum.
        TensorType::Q4_1 => 1.0 / 15.0 + 3.0 / 2048.0,
        TensorType::Q5_1 => 1.0 / 31.0 + 3.0 / 2048.0,
        other => panic!("{other} is not written"),
    }
}

fn read(file: &GgufFile<'_>, tensor: &TensorEntry) -> Vec<f32> {
    let mut weights = Vec::new();
    quantize::decode_row(tensor.kind, file.bytes(tensor), &mut weights).unwrap();
    weights
}

/// A tensor of the checkpoint, as it stands there.
fn source(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    let entry = checkpoint.weights.get(name).unwrap();
    let mut weights = Vec::new();
    entry
        .kind
        .decode(checkpoint.weights.bytes(entry), &mut weights);
    weights
}

/// `permute` of `convert_hf_to_gguf.py`, written from its definition: view `[head][half][pair][column]` and swap the
/// two inner row axes.
fn interleaved(rows: &[f32], heads: usize, head_dim: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for head in 0..heads {
        for pair in 0..head_dim / 2 {
            for half in 0..2 {
                let row = (head * 2 + half) * (head_dim / 2) + pair;
                out.extend(&rows[row * columns..(row + 1) * columns]);
            }
        }
    }
    out
}

fn check(model: &RandomModel, recipe: Recipe) {
    let folder = Folder::of(model);
    let bytes = folder.exported(recipe);
    let file = GgufFile::parse(&bytes).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let config = &checkpoint.config;
    let same = |name: &str, target: &str, heads: Option<usize>| {
        let mut wanted = source(&checkpoint, name);
        let tensor = file.tensor(target).expect(target);
        assert_eq!(tensor.weights(), wanted.len() as u64);
        if let Some(heads) = heads {
            wanted = interleaved(&wanted, heads, config.head_dim, config.hidden);
        }
        let largest = wanted
            .iter()
            .fold(0.0_f32, |max, weight| max.max(weight.abs()));
        let bound = relative_bound(tensor.kind) * largest;
        for (at, (wanted, got)) in wanted.iter().zip(read(&file, tensor)).enumerate() {
            assert!(
                (wanted - got).abs() <= bound,
                "{target}[{at}] {wanted} {got}"
            );
        }
    };
    same("model.embed_tokens.weight", "token_embd.weight", None);
    same("model.norm.weight", "output_norm.weight", None);
    for layer in 0..config.layers {
        let from = |name: &str| format!("model.layers.{layer}.{name}.weight");
        let to = |name: &str| format!("blk.{layer}.{name}.weight");
        same(&from("self_attn.q_proj"), &to("attn_q"), Some(config.heads));
        same(
            &from("self_attn.k_proj"),
            &to("attn_k"),
            Some(config.kv_heads),
        );
        same(&from("self_attn.v_proj"), &to("attn_v"), None);
        same(&from("self_attn.o_proj"), &to("attn_output"), None);
        same(&from("mlp.gate_proj"), &to("ffn_gate"), None);
        same(&from("mlp.up_proj"), &to("ffn_up"), None);
        same(&from("mlp.down_proj"), &to("ffn_down"), None);
        same(&from("input_layernorm"), &to("attn_norm"), None);
        same(&from("post_attention_layernorm"), &to("ffn_norm"), None);
    }
    assert_eq!(file.tensor("output.weight").is_none(), config.tied);
    if !config.tied {
        same("lm_head.weight", "output.weight", None);
    }
    assert_eq!(
        file.tensors.len(),
        2 + 9 * config.layers + usize::from(!config.tied)
    );
}

prop_compose! {
    fn any_model()(
        seed: u64,
        layers in 1_usize..4,
        kv_heads in 1_usize..4,
        groups in 1_usize..4,
        half_head in 1_usize..9,
        hidden in prop::sample::select(vec![32_usize, 48, 64, 96]),
        intermediate in prop::sample::select(vec![32_usize, 80, 128]),
        padding in 0_usize..40,
        tied: bool,
        weights in prop::sample::select(vec![WeightType::F32, WeightType::F16, WeightType::Bf16]),
        merges in 0_usize..60,
    ) -> RandomModel {
        RandomModel {
            seed,
            config: ModelConfig {
                hidden,
                intermediate,
                layers,
                heads: kv_heads * groups,
                kv_heads,
                head_dim: 2 * half_head,
                vocab: 268 + merges + padding,
                tied,
                ..RandomModel::default().config
            },
            weights,
            merges,
            shards: 1,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_models_read_back(
        model in any_model(),
        recipe in prop::sample::select(Recipe::ALL.to_vec()),
    ) {
        check(&model, recipe);
    }
}

#[test]
fn two_exports_are_the_same_bytes() {
    let (one, other) = (Folder::new(), Folder::new());
    for recipe in Recipe::ALL {
        assert_eq!(one.exported(recipe), other.exported(recipe), "{recipe}");
    }
}

#[test]
fn the_metadata_is_complete() {
    let folder = Folder::new();
    let bytes = folder.exported(Recipe::Q4_0);
    let file = GgufFile::parse(&bytes).unwrap();
    let metadata = &file.metadata;
    for (key, text) in [
        ("general.architecture", "llama"),
        ("general.name", "random-weights"),
        ("general.license", "Apache-2.0"),
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "gpt-2"),
    ] {
        assert_eq!(metadata.text(key), Some(text), "{key}");
    }
    for (key, number) in [
        ("general.file_type", 2),
        ("llama.block_count", 2),
        ("llama.context_length", 2048),
        ("llama.embedding_length", 64),
        ("llama.attention.head_count", 4),
        ("llama.attention.head_count_kv", 2),
        ("llama.rope.dimension_count", 16),
        ("tokenizer.ggml.bos_token_id", 0),
        ("tokenizer.ggml.eos_token_id", 1),
        ("stride.layout.version", 1),
        ("stride.capacity.progress", 512),
        ("stride.utterance_tokens.low", 16),
    ] {
        assert_eq!(metadata.unsigned(key), Some(number), "{key}");
    }
    for key in ["add_bos_token", "add_eos_token", "add_space_prefix"] {
        let value = metadata.get(&format!("tokenizer.ggml.{key}"));
        assert_eq!(value, Some(&Value::Bool(false)), "{key}");
    }
    assert_eq!(metadata.texts("stride.markers").unwrap()[11], "<|update|>");
    assert!(
        metadata
            .text("stride.card")
            .unwrap()
            .starts_with("# random-weights")
    );
    assert_eq!(
        file.tensor("token_embd.weight").unwrap().kind,
        TensorType::Q8_0
    );
    assert_eq!(
        file.tensor("blk.1.ffn_up.weight").unwrap().kind,
        TensorType::Q4_0
    );
    assert_eq!(
        file.tensor("output_norm.weight").unwrap().kind,
        TensorType::F32
    );
}

#[test]
fn rows_beyond_the_vocabulary_become_unused_tokens() {
    let mut model = RandomModel::default();
    model.config.vocab = 512;
    let folder = Folder::of(&model);
    let bytes = folder.exported(Recipe::F32);
    let file = GgufFile::parse(&bytes).unwrap();
    let tokens = file.metadata.texts("tokenizer.ggml.tokens").unwrap();
    let Some(Value::Array(Array::I32(kinds))) = file.metadata.get("tokenizer.ggml.token_type")
    else {
        panic!("token types");
    };
    assert_eq!((tokens.len(), kinds.len()), (512, 512));
    assert_eq!((tokens[511].as_str(), kinds[511]), ("[PAD511]", 5));
    assert_eq!(
        (tokens[0].as_str(), kinds[0], kinds[12]),
        ("<|begin|>", 3, 1)
    );
}

#[test]
fn a_checkpoint_without_stride_json_says_nothing_about_the_layout() {
    let folder = Folder::new();
    std::fs::remove_file(folder.file("stride.json")).unwrap();
    let bytes = folder.exported(Recipe::F32);
    let file = GgufFile::parse(&bytes).unwrap();
    assert_eq!(file.metadata.get("stride.layout.version"), None);
    assert_eq!(file.metadata.get("stride.card"), None);
    assert!(file.metadata.get("stride.markers").is_some());
}

#[test]
fn the_report_names_the_deviation() {
    let folder = Folder::new();
    let exact = folder.export(Recipe::F32).unwrap();
    let rounded = folder.export(Recipe::Q8_0).unwrap();
    let bytes = std::fs::metadata(folder.file("out.gguf")).unwrap().len();
    assert_eq!(rounded.file_bytes, bytes);
    assert!(
        exact
            .tensors
            .iter()
            .all(|line| line.deviation.unwrap().largest == 0.0)
    );
    let moved = rounded.tensors[0].deviation.unwrap();
    assert!(
        moved.largest > 0.0 && moved.relative_rms() < 0.01,
        "{moved:?}"
    );
}
