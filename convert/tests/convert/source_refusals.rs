//! Checkpoints that are spoiled by hand, one test per refusal.

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use stride_convert::quantize::Recipe;

use crate::support::{Folder, assert_says};

/// Changes one field of `config.json` and returns the refusal.
fn with_config(field: &str, value: Value) -> String {
    let folder = Folder::new();
    folder.edit("config.json", |config| config[field] = value);
    folder.refusal(Recipe::F32)
}

/// Replaces the header and data of the weights and returns the refusal.
fn with_weights(header: &str, data: &[u8]) -> String {
    let folder = Folder::new();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    std::fs::write(folder.file("model.safetensors"), bytes).unwrap();
    folder.refusal(Recipe::F32)
}

#[test]
fn a_missing_file_is_named() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = Folder::new();
        std::fs::remove_file(folder.file(name)).unwrap();
        assert_says(&folder.refusal(Recipe::F32), &["cannot read", name]);
    }
}

#[test]
fn a_config_that_is_not_json() {
    let folder = Folder::new();
    std::fs::write(folder.file("config.json"), "{").unwrap();
    assert_says(
        &folder.refusal(Recipe::F32),
        &["config.json", "malformed", "line 1"],
    );
}

#[test]
fn a_config_that_is_too_long() {
    let folder = Folder::new();
    std::fs::write(folder.file("config.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    assert_says(
        &folder.refusal(Recipe::F32),
        &["config.json", "1048576 bytes"],
    );
}

#[test]
fn a_missing_field() {
    let folder = Folder::new();
    folder.edit("config.json", |config| {
        config.as_object_mut().unwrap().remove("hidden_size");
    });
    assert_says(
        &folder.refusal(Recipe::F32),
        &["config.json", "hidden_size"],
    );
}

#[test]
fn numbers_out_of_bounds() {
    for (field, value) in [
        ("hidden_size", json!(0)),
        ("num_hidden_layers", json!(1_000_000_000)),
        ("vocab_size", json!(u64::MAX)),
        ("max_position_embeddings", json!(0)),
        ("rms_norm_eps", json!(-1.0)),
        ("rope_theta", json!(0.0)),
    ] {
        assert_says(
            &with_config(field, value),
            &["config.json", field, "allowed"],
        );
    }
}

#[test]
fn heads_that_do_not_divide() {
    assert_says(
        &with_config("num_key_value_heads", json!(3)),
        &["3", "does not divide"],
    );
}

#[test]
fn an_odd_head() {
    assert_says(&with_config("head_dim", json!(15)), &["head_dim", "even"]);
}

#[test]
fn another_network() {
    for (field, value) in [
        ("model_type", json!("gemma")),
        ("hidden_act", json!("gelu")),
        ("attention_bias", json!(true)),
        ("mlp_bias", json!(true)),
        (
            "rope_scaling",
            json!({ "rope_type": "dynamic", "factor": 8.0 }),
        ),
        ("eos_token_id", json!([1, 2])),
    ] {
        assert_says(&with_config(field, value), &["config.json", field]);
    }
}

#[test]
fn rope_scaling_where_transformers_5_keeps_it() {
    let folder = Folder::new();
    folder.edit("config.json", |config| {
        config["rope_parameters"] = json!({ "rope_theta": 10000.0, "rope_type": "dynamic" });
    });
    assert_says(&folder.refusal(Recipe::F32), &["rope_scaling"]);
}

#[test]
fn ends_that_are_not_the_markers() {
    assert_says(
        &with_config("bos_token_id", json!(1)),
        &["bos_token_id", "<|begin|>"],
    );
    assert_says(
        &with_config("eos_token_id", json!(2)),
        &["eos_token_id", "<|end|>"],
    );
}

#[test]
fn a_shape_that_contradicts_the_config() {
    let text = with_config("intermediate_size", json!(128));
    assert_says(&text, &["mlp.gate_proj", "[160, 64]", "[128, 64]"]);
}

#[test]
fn more_layers_than_tensors() {
    let text = with_config("num_hidden_layers", json!(3));
    assert_says(&text, &["model.layers.2.input_layernorm.weight"]);
}

#[test]
fn fewer_layers_than_tensors() {
    let text = with_config("num_hidden_layers", json!(1));
    assert_says(&text, &["model.layers.1.", "silently"]);
}

#[test]
fn more_tokens_than_rows() {
    assert_says(&with_config("vocab_size", json!(300)), &["vocab_size 300"]);
}

#[test]
fn another_layout() {
    let folder = Folder::new();
    folder.edit("stride.json", |card| card["layout_version"] = json!(999));
    assert_says(&folder.refusal(Recipe::F32), &["layout_version", "999"]);
}

#[test]
fn a_capacity_that_is_no_key() {
    let folder = Folder::new();
    folder.edit("stride.json", |card| {
        card["capacities"] = json!({ "a.b": 1 })
    });
    assert_says(&folder.refusal(Recipe::F32), &["stride.json", "a.b"]);
}

#[test]
fn weights_that_are_not_finite() {
    for (weight, shown) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf")] {
        let folder = Folder::new();
        // Row 5 of the query matrix moves in the file; the error names its place in the checkpoint.
        folder.set_weight("model.layers.1.self_attn.q_proj.weight", 5 * 64 + 3, weight);
        let text = folder.refusal(Recipe::Q8_0);
        assert_says(&text, &["layers.1.self_attn.q_proj", "weight 323", shown]);
    }
}

#[test]
fn weights_beyond_binary16() {
    for recipe in [Recipe::F16, Recipe::Q8_0, Recipe::Q4_0] {
        let folder = Folder::new();
        folder.set_weight("model.layers.0.mlp.up_proj.weight", 70, 1.0e9);
        let text = folder.refusal(recipe);
        assert_says(&text, &["layers.0.mlp.up_proj", "weight 70", "f32"]);
    }
    let folder = Folder::new();
    folder.set_weight("model.layers.0.mlp.up_proj.weight", 70, 1.0e9);
    folder.export(Recipe::F32).unwrap();
}

#[test]
fn weights_of_another_type() {
    let folder = Folder::new();
    let tensor = TensorView::new(Dtype::I64, vec![1], &[0; 8]).unwrap();
    let bytes = safetensors::serialize([("steps", tensor)], None).unwrap();
    std::fs::write(folder.file("model.safetensors"), bytes).unwrap();
    assert_says(&folder.refusal(Recipe::F32), &["steps", "I64", "BF16"]);
}

#[test]
fn an_empty_weight_file() {
    let folder = Folder::new();
    std::fs::write(folder.file("model.safetensors"), "").unwrap();
    assert_says(
        &folder.refusal(Recipe::F32),
        &["model.safetensors", "less than 8 bytes"],
    );
}

#[test]
fn a_header_longer_than_the_file() {
    let folder = Folder::new();
    std::fs::write(folder.file("model.safetensors"), [0xff; 64]).unwrap();
    assert_says(
        &folder.refusal(Recipe::F32),
        &["model.safetensors", "claims"],
    );
}

#[test]
fn offsets_beyond_the_file() {
    let header = r#"{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,18446744073709551615]}}"#;
    assert_says(&with_weights(header, &[0; 9]), &["beyond the end"]);
}

#[test]
fn tensors_that_overlap() {
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
                     "b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
    assert_says(
        &with_weights(header, &[0; 12]),
        &["not a valid safetensors file"],
    );
}

#[test]
fn a_weight_file_that_is_cut() {
    let folder = Folder::new();
    let path = folder.file("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
    assert_says(&folder.refusal(Recipe::F32), &["model.safetensors"]);
}

#[test]
fn a_tied_output_may_be_a_copy_and_nothing_else() {
    let folder = Folder::new();
    let bytes = std::fs::read(folder.file("model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let save = |output: TensorView<'_>| {
        let mut all: Vec<(String, TensorView<'_>)> = tensors.tensors();
        all.push(("lm_head.weight".into(), output));
        let bytes = safetensors::serialize(all, None).unwrap();
        std::fs::write(folder.file("model.safetensors"), bytes).unwrap();
    };
    let embedding = tensors.tensor("model.embed_tokens.weight").unwrap();
    save(embedding.clone());
    folder.export(Recipe::F32).unwrap();
    let mut other = embedding.data().to_vec();
    other[0] ^= 1;
    save(TensorView::new(Dtype::F32, embedding.shape().to_vec(), &other).unwrap());
    assert_says(&folder.refusal(Recipe::F32), &["lm_head.weight"]);
}
