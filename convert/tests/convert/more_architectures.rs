//! Gemma, Phi-3 and scaled positions, by llama.cpp's loaders (`src/models/{gemma2,gemma3,phi3}.cpp`).

use serde_json::{Value, json};
use stride_convert::architecture::{Architecture, GEMMA2, GEMMA3, LLAMA, PHI3, QWEN2};
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{GgufFile, TensorType, Value as Entry};
use stride_convert::quantize::{self, Recipe};
use stride_convert::source::Checkpoint;

use crate::support::{Folder, assert_says};

fn model(architecture: &'static Architecture) -> RandomModel {
    let mut model = RandomModel::default();
    model.config.architecture = architecture;
    model
}

fn gemma(architecture: &'static Architecture) -> RandomModel {
    let mut model = model(architecture);
    model.config.window = Some(512);
    model.config.logit_cap = Some(30.0);
    model
}

fn gemma2() -> RandomModel {
    let mut model = gemma(&GEMMA2);
    model.config.attention_cap = Some(50.0);
    model
}

/// The weights of `name` in the file and of `from` in the checkpoint.
fn weights(folder: &Folder, name: &str, from: &str) -> (Vec<f32>, Vec<f32>) {
    let bytes = folder.exported(Recipe::F32);
    let file = GgufFile::parse(&bytes).unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let tensor = file.tensor(name).expect(name);
    assert_eq!(tensor.kind, TensorType::F32);
    let entry = checkpoint.weights.get(from).expect(from);
    let (mut got, mut wanted) = (Vec::new(), Vec::new());
    quantize::decode_row(tensor.kind, file.bytes(tensor), &mut got).unwrap();
    entry
        .kind
        .decode(checkpoint.weights.bytes(entry), &mut wanted);
    (got, wanted)
}

/// The keys under the architecture's name, real numbers as f64.
fn number(folder: &Folder, key: &str) -> Option<f64> {
    let bytes = folder.exported(Recipe::F32);
    let file = GgufFile::parse(&bytes).unwrap();
    match file.metadata.get(key) {
        Some(Entry::U32(number)) => Some(f64::from(*number)),
        Some(Entry::F32(number)) => Some(f64::from(*number)),
        _ => None,
    }
}

#[test]
fn gemmas_norms_gain_one_and_its_matrices_do_not() {
    for (model, norms) in [
        (
            gemma2(),
            vec![
                "attn_norm",
                "post_attention_norm",
                "ffn_norm",
                "post_ffw_norm",
            ],
        ),
        (
            gemma(&GEMMA3),
            vec!["attn_q_norm", "attn_k_norm", "post_ffw_norm"],
        ),
    ] {
        let folder = Folder::of(&model);
        let source = |norm: &str| match norm {
            "attn_norm" => "input_layernorm",
            "post_attention_norm" => "post_attention_layernorm",
            "ffn_norm" => "pre_feedforward_layernorm",
            "post_ffw_norm" => "post_feedforward_layernorm",
            "attn_q_norm" => "self_attn.q_norm",
            _ => "self_attn.k_norm",
        };
        for norm in norms {
            let from = format!("model.layers.1.{}.weight", source(norm));
            let (got, wanted) = weights(&folder, &format!("blk.1.{norm}.weight"), &from);
            assert!(
                got.iter()
                    .zip(&wanted)
                    .all(|(got, wanted)| *got == wanted + 1.0),
                "{norm}"
            );
        }
        let (got, wanted) = weights(&folder, "output_norm.weight", "model.norm.weight");
        assert_eq!(got[5], wanted[5] + 1.0);
        let (got, wanted) = weights(
            &folder,
            "blk.0.attn_q.weight",
            "model.layers.0.self_attn.q_proj.weight",
        );
        assert_eq!(got, wanted);
    }
}

#[test]
fn gemmas_keys_say_windows_caps_and_bases() {
    let folder = Folder::of(&gemma2());
    assert_eq!(
        number(&folder, "gemma2.attention.sliding_window"),
        Some(512.0)
    );
    assert_eq!(
        number(&folder, "gemma2.attention.sliding_window_pattern"),
        Some(2.0)
    );
    assert_eq!(number(&folder, "gemma2.attn_logit_softcapping"), Some(50.0));
    assert_eq!(
        number(&folder, "gemma2.final_logit_softcapping"),
        Some(30.0)
    );
    let mut other = gemma(&GEMMA3);
    other.config.local_theta = Some(12_345.0);
    let folder = Folder::of(&other);
    assert_eq!(
        number(&folder, "gemma3.attention.sliding_window_pattern"),
        Some(6.0)
    );
    assert_eq!(number(&folder, "gemma3.rope.freq_base_swa"), Some(12_345.0));
    folder.edit("config.json", |config| {
        config["layer_types"] = json!(["sliding_attention", "full_attention"]);
        config["rope_parameters"] = json!({
            "full_attention": { "rope_type": "linear", "rope_theta": 1e6, "factor": 8.0 },
            "sliding_attention": { "rope_type": "default", "rope_theta": 1e4 },
        });
        config["rope_theta"] = Value::Null;
    });
    assert_eq!(
        number(&folder, "gemma3.attention.sliding_window_pattern"),
        Some(2.0)
    );
    assert_eq!(number(&folder, "gemma3.rope.freq_base_swa"), Some(1e4));
    assert_eq!(number(&folder, "gemma3.rope.freq_base"), Some(1e6));
    assert_eq!(number(&folder, "gemma3.rope.scaling.factor"), Some(8.0));
}

#[test]
fn phi3_keeps_its_joint_matrices() {
    let folder = Folder::of(&model(&PHI3));
    let (got, wanted) = weights(
        &folder,
        "blk.0.attn_qkv.weight",
        "model.layers.0.self_attn.qkv_proj.weight",
    );
    assert_eq!((got.len(), got == wanted), (128 * 64, true));
    let (got, wanted) = weights(
        &folder,
        "blk.1.ffn_up.weight",
        "model.layers.1.mlp.gate_up_proj.weight",
    );
    assert_eq!((got.len(), got == wanted), (2 * 160 * 64, true));
    assert_eq!(number(&folder, "phi3.rope.dimension_count"), Some(16.0));
    folder.edit("config.json", |config| {
        config["original_max_position_embeddings"] = json!(512);
        config["partial_rotary_factor"] = json!(0.5);
        config["rope_scaling"] = json!({
            "type": "longrope", "long_factor": [1.0, 2.0, 3.0, 4.0], "short_factor": [1.0, 1.5, 2.0, 2.5],
        });
    });
    let (long, _) = weights(
        &folder,
        "rope_factors_long.weight",
        "rope_factors_long.weight",
    );
    let (short, _) = weights(
        &folder,
        "rope_factors_short.weight",
        "rope_factors_short.weight",
    );
    assert_eq!(
        (long, short),
        (vec![1.0, 2.0, 3.0, 4.0], vec![1.0, 1.5, 2.0, 2.5])
    );
    assert_eq!(number(&folder, "phi3.rope.dimension_count"), Some(8.0));
    assert_eq!(
        number(&folder, "phi3.rope.scaling.original_context_length"),
        Some(512.0)
    );
    // sqrt(1 + ln(2048 / 512) / ln(512))
    let attention = number(&folder, "phi3.rope.scaling.attn_factor").unwrap();
    assert!((attention - 1.105_541_6).abs() < 1e-6, "{attention}");
}

#[test]
fn scaled_positions_become_keys_or_a_tensor() {
    let folder = Folder::new();
    let scale =
        |scaling: Value| folder.edit("config.json", |config| config["rope_scaling"] = scaling);
    scale(json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512 }));
    assert_eq!(number(&folder, "llama.rope.scaling.factor"), Some(4.0));
    assert_eq!(
        number(&folder, "llama.rope.scaling.original_context_length"),
        Some(512.0)
    );
    assert_eq!(number(&folder, "llama.rope.scaling.attn_factor"), None);
    scale(json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }));
    let (factors, _) = weights(&folder, "rope_freqs.weight", "rope_freqs.weight");
    assert_eq!((factors.len(), factors[0], factors[7]), (8, 1.0, 8.0));
    assert_eq!(number(&folder, "llama.rope.scaling.factor"), None);
}

#[test]
fn what_llama_cpp_fixes_cannot_be_chosen() {
    let refusal = |model: &RandomModel, field: &str, value: Value| {
        let folder = Folder::of(model);
        folder.edit("config.json", |config| config[field] = value);
        folder.refusal(Recipe::F32)
    };
    let text = refusal(&gemma2(), "query_pre_attn_scalar", json!(144));
    assert_says(&text, &["query_pre_attn_scalar", "144", "16"]);
    let text = refusal(&gemma2(), "attn_logit_softcapping", Value::Null);
    assert_says(&text, &["attn_logit_softcapping", "always"]);
    let text = refusal(&gemma(&GEMMA3), "attn_logit_softcapping", json!(50));
    assert_says(&text, &["attn_logit_softcapping", "never"]);
    let text = refusal(&gemma2(), "tie_word_embeddings", json!(false));
    assert_says(&text, &["tie_word_embeddings", "gemma2"]);
    let text = refusal(&gemma2(), "hidden_activation", json!("gelu"));
    assert_says(&text, &["hidden_activation", "gelu_pytorch_tanh"]);
    let types = json!(["full_attention", "sliding_attention"]);
    let text = refusal(&gemma(&GEMMA3), "layer_types", types);
    assert_says(&text, &["layer_types", "layer 1", "rhythm"]);
    let text = refusal(&gemma(&GEMMA3), "head_dim", Value::Null);
    assert_says(&text, &["head_dim", "state it"]);
    let llama3 = json!({ "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0 });
    let text = refusal(&model(&QWEN2), "rope_scaling", llama3);
    assert_says(&text, &["rope_scaling", "Llama3", "qwen2"]);
    let text = refusal(
        &model(&LLAMA),
        "rope_scaling",
        json!({ "rope_type": "dynamic", "factor": 2.0 }),
    );
    assert_says(&text, &["rope_scaling", "dynamic"]);
    let text = refusal(&model(&LLAMA), "partial_rotary_factor", json!(0.5));
    assert_says(&text, &["partial_rotary_factor", "llama"]);
    let text = refusal(&model(&PHI3), "rms_norm_eps", Value::Null);
    assert_says(&text, &["rms_norm_eps", "state it"]);
}
