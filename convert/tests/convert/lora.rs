//! Adapters of PEFT: merged, or as a file of their own; and what is refused.

use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use stride_convert::gguf::{GgufFile, TensorType};
use stride_convert::quantize::{Recipe, decode_row};
use stride_convert::source::Checkpoint;

use crate::support::{Folder, assert_says, run};

const QUERIES: &str = "base_model.model.model.layers.0.self_attn.q_proj";
const DOWN: &str = "base_model.model.model.layers.1.mlp.down_proj";
const RANK: usize = 4;
/// `lora_alpha` 6 over the rank.
const SCALE: f32 = 1.5;

type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

/// Numbers that are exact in any order of summing: small multiples of 1/16.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let number = |at: usize| ((at * 7 + seed * 13 + at / 5) % 11) as f32 / 16.0 - 0.3125;
    (0..count).map(number).collect()
}

/// Pairs on the queries of layer 0 (64 x 64) and the way down of layer 1 (64 x 160) of the default model.
fn tensors() -> Tensors {
    let pair = |module: &str, columns: usize, seed| {
        [
            (
                format!("{module}.lora_A.weight"),
                vec![RANK, columns],
                numbers(RANK * columns, seed),
            ),
            (
                format!("{module}.lora_B.weight"),
                vec![64, RANK],
                numbers(64 * RANK, seed + 1),
            ),
        ]
    };
    [pair(QUERIES, 64, 1), pair(DOWN, 160, 3)].concat()
}

/// Writes an adapter beside the base and returns its folder.
fn write(folder: &Folder, tensors: &Tensors, change: impl FnOnce(&mut Value)) -> PathBuf {
    let path = folder.file("adapter");
    std::fs::create_dir_all(&path).unwrap();
    let mut config = json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": 6, "bias": "none",
        "target_modules": ["q_proj", "down_proj"], "fan_in_fan_out": false, "use_dora": false,
    });
    change(&mut config);
    std::fs::write(path.join("adapter_config.json"), config.to_string()).unwrap();
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, weights)| {
            weights
                .iter()
                .flat_map(|weight| weight.to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    let file = safetensors::serialize(views, None).unwrap();
    std::fs::write(path.join("adapter_model.safetensors"), file).unwrap();
    path
}

fn lora(folder: &Folder, adapter: &Path, more: &[&str]) -> (i32, String, String) {
    let text = |path: &Path| path.display().to_string();
    let (adapter, base, output) = (
        text(adapter),
        text(folder.path()),
        text(&folder.file("lora.gguf")),
    );
    run(&[&["lora", &adapter, "--base", &base, "-o", &output], more].concat())
}

fn weights(file: &GgufFile<'_>, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name).unwrap();
    let mut out = Vec::new();
    decode_row(tensor.kind, file.bytes(tensor), &mut out).unwrap();
    out
}

#[test]
fn a_merge_is_the_sum_that_dense_arithmetic_gives() {
    let folder = Folder::new();
    let base = folder.exported(Recipe::F32);
    let base = GgufFile::parse(&base).unwrap();
    let adapter = write(&folder, &tensors(), |_| {});
    let (code, stdout, stderr) = lora(&folder, &adapter, &["--merge", "--type", "f32"]);
    assert_eq!(code, 0, "{stderr}");
    assert_says(&stdout, &["the adapter changes 2 matrices"]);
    let merged = std::fs::read(folder.file("lora.gguf")).unwrap();
    let merged = GgufFile::parse(&merged).unwrap();

    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let made = tensors();
    for (source, target, pair, columns, paired) in [
        (
            "model.layers.0.self_attn.q_proj.weight",
            "blk.0.attn_q.weight",
            0,
            64,
            true,
        ),
        (
            "model.layers.1.mlp.down_proj.weight",
            "blk.1.ffn_down.weight",
            2,
            160,
            false,
        ),
    ] {
        let entry = checkpoint.weights.get(source).unwrap();
        let mut dense = Vec::new();
        entry
            .kind
            .decode(checkpoint.weights.bytes(entry), &mut dense);
        let (a, b) = (&made[pair].2, &made[pair + 1].2);
        for row in 0..64 {
            for column in 0..columns {
                let product: f32 = (0..RANK)
                    .map(|k| b[row * RANK + k] * a[k * columns + column])
                    .sum();
                dense[row * columns + column] += SCALE * product;
            }
        }
        let got = weights(&merged, target);
        for row in 0..64 {
            // Rows of queries stand in pairs: 2 j + i of a head of 16 was 8 i + j.
            let from = if paired {
                row / 16 * 16 + row % 2 * 8 + row % 16 / 2
            } else {
                row
            };
            assert_eq!(
                got[row * columns..(row + 1) * columns],
                dense[from * columns..(from + 1) * columns],
                "{target}, row {row}"
            );
        }
    }
    for tensor in &base.tensors {
        if !["blk.0.attn_q.weight", "blk.1.ffn_down.weight"].contains(&tensor.name.as_str()) {
            let other = merged.tensor(&tensor.name).unwrap();
            assert_eq!(base.bytes(tensor), merged.bytes(other), "{}", tensor.name);
        }
    }
    let sources = merged.metadata.texts("stride.source.files").unwrap();
    assert_eq!(
        sources[sources.len() - 2..],
        ["adapter_config.json", "adapter_model.safetensors"]
    );
}

#[test]
fn an_adapter_file_has_the_names_and_rows_that_llama_cpp_reads() {
    let folder = Folder::new();
    let adapter = write(&folder, &tensors(), |config| {
        config["use_rslora"] = true.into()
    });
    let (code, _, stderr) = lora(&folder, &adapter, &["--adapter"]);
    assert_eq!(code, 0, "{stderr}");
    let bytes = std::fs::read(folder.file("lora.gguf")).unwrap();
    let file = GgufFile::parse(&bytes).unwrap();
    assert_eq!(file.metadata.text("general.architecture"), Some("llama"));
    assert_eq!(file.metadata.text("general.type"), Some("adapter"));
    assert_eq!(file.metadata.text("adapter.type"), Some("lora"));
    // llama.cpp multiplies by alpha / rank; rank-stabilized LoRA asks for 6 / sqrt(4) = 3.
    let alpha = file.metadata.get("adapter.lora.alpha");
    assert_eq!(alpha, Some(&stride_convert::gguf::Value::F32(12.0)));
    let lines: Vec<(&str, &[u64])> = file
        .tensors
        .iter()
        .map(|one| (one.name.as_str(), &one.shape[..]))
        .collect();
    assert_eq!(
        lines,
        [
            ("blk.0.attn_q.weight.lora_a", &[64, 4][..]),
            ("blk.0.attn_q.weight.lora_b", &[4, 64]),
            ("blk.1.ffn_down.weight.lora_a", &[160, 4]),
            ("blk.1.ffn_down.weight.lora_b", &[4, 64]),
        ]
    );
    assert!(
        file.tensors
            .iter()
            .all(|tensor| tensor.kind == TensorType::F32)
    );
    let made = tensors();
    assert_eq!(weights(&file, "blk.0.attn_q.weight.lora_a"), made[0].2);
    let b = weights(&file, "blk.0.attn_q.weight.lora_b");
    // Row 1 of the GGUF is the partner of row 0, half a head of 16 further down.
    assert_eq!(b[..4], made[1].2[..4]);
    assert_eq!(b[4..8], made[1].2[8 * 4..9 * 4]);
    assert_eq!(weights(&file, "blk.1.ffn_down.weight.lora_b"), made[3].2);
}

const EMBEDDING: &str = "base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta";

#[test]
fn rows_of_tokens_stand_in_the_place_of_the_bases() {
    let folder = Folder::new();
    let base = folder.exported(Recipe::F32);
    let base = weights(&GgufFile::parse(&base).unwrap(), "token_embd.weight");
    let mut made = tensors();
    let rows = numbers(3 * 64, 9);
    made.push((EMBEDDING.to_owned(), vec![3, 64], rows.clone()));
    let adapter = write(&folder, &made, |config| {
        config["trainable_token_indices"] = json!([7, 2, 100]);
    });
    let (code, stdout, stderr) = lora(&folder, &adapter, &["--merge", "--type", "f32"]);
    assert_eq!(code, 0, "{stderr}");
    assert_says(&stdout, &["2 matrices and 3 rows of tokens"]);
    let merged = std::fs::read(folder.file("lora.gguf")).unwrap();
    let merged = weights(&GgufFile::parse(&merged).unwrap(), "token_embd.weight");
    let mut expected = base;
    for (row, token) in [7, 2, 100].into_iter().enumerate() {
        expected[token * 64..(token + 1) * 64].copy_from_slice(&rows[row * 64..(row + 1) * 64]);
    }
    assert_eq!(merged, expected);

    std::fs::remove_file(folder.file("lora.gguf")).unwrap();
    let (code, _, stderr) = lora(&folder, &adapter, &["--adapter"]);
    assert_eq!(code, 1);
    assert_says(&stderr, &["trainable_token_indices", "--merge"]);
    for (tokens, said) in [
        (json!([7, 2]), "[2, 64]"),
        (json!([7, 2, 100_000]), "token 100000"),
        (json!({ "lm_head": [7, 2, 100] }), "lm_head"),
        (json!([]), "has no place in this base"),
    ] {
        let adapter = write(&folder, &made, |config| {
            config["trainable_token_indices"] = tokens.clone();
        });
        let (code, _, stderr) = lora(&folder, &adapter, &["--merge"]);
        assert_eq!(code, 1, "{tokens}");
        assert_says(&stderr, &[said]);
    }
}

#[test]
fn hostile_adapters_are_refused_by_name() {
    let folder = Folder::new();
    let before = |adapter: &Path| {
        let (code, _, stderr) = lora(&folder, adapter, &["--merge"]);
        assert_eq!(code, 1);
        assert!(!folder.file("lora.gguf").exists());
        stderr
    };
    let with = |change: &dyn Fn(&mut Tensors)| {
        let mut made = tensors();
        change(&mut made);
        before(&write(&folder, &made, |_| {}))
    };
    let text = with(&|made| drop(made.remove(1)));
    assert_says(
        &text,
        &[
            "q_proj.lora_A.weight",
            "has no",
            "lora_B.weight",
            "beside it",
        ],
    );
    let text = with(&|made| (made[0].1, made[0].2) = (vec![8, 64], numbers(8 * 64, 1)));
    assert_says(
        &text,
        &["q_proj.lora_A.weight", "[8, 64]", "rank 4", "[4, 64]"],
    );
    let text = with(&|made| made[1].1 = vec![4, 64]);
    assert_says(&text, &["q_proj.lora_B.weight", "[64, 4]"]);
    let text = with(&|made| made[0].1 = vec![4 * 64]);
    assert_says(&text, &["[256]"]);
    for stray in [
        "base_model.model.model.embed_tokens.lora_embedding_A",
        "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
        "base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight",
        "base_model.model.lm_head.lora_A.weight",
    ] {
        let text = with(&|made| made.push((stray.to_owned(), vec![4], numbers(4, 1))));
        assert_says(&text, &[stray, "has no place in this base"]);
    }
    assert_says(&with(&Vec::clear), &["the adapter is empty"]);
    let text = with(&|made| made[2].2[5] = f32::NAN);
    assert_says(&text, &["model.layers.1.mlp.down_proj.weight", "NaN"]);
    let text = before(&write(&folder, &tensors(), |config| {
        config["use_dora"] = true.into()
    }));
    assert_says(&text, &["adapter_config.json", "use_dora"]);
    let text = before(&folder.file("absent"));
    assert_says(&text, &["cannot use", "adapter_config.json"]);
    let (code, ..) = lora(&folder, &folder.file("adapter"), &[]);
    assert_eq!(code, 2, "one of --merge and --adapter must stand");
}
