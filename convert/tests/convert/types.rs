//! Which tensor gets which type, and that nothing about it depends on the machine.

use stride_convert::export;
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{GgufFile, TensorType};
use stride_convert::quantize::{Recipe, TypeChoice};
use stride_convert::source::Checkpoint;

use crate::support::{Folder, assert_says};

/// Converts with overrides and returns the types by name.
fn types(folder: &Folder, recipe: Recipe, overrides: &[&str]) -> Vec<(String, TensorType)> {
    let choice = TypeChoice {
        overrides: overrides.iter().map(|text| text.parse().unwrap()).collect(),
        ..recipe.into()
    };
    let output = folder.file("out.gguf");
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    export::export_as(&checkpoint, &output, &choice, true, |_| {}).unwrap();
    let bytes = std::fs::read(output).unwrap();
    let file = GgufFile::parse(&bytes).unwrap();
    let types = file.tensors.iter();
    types
        .map(|tensor| (tensor.name.clone(), tensor.kind))
        .collect()
}

#[test]
fn overrides_hold_for_the_matrices_they_match() {
    let folder = Folder::new();
    let overrides = [r"^blk\.0\.\w+\.weight$=q5_1", "token_embd=f16"];
    for (name, kind) in types(&folder, Recipe::Q4_1, &overrides) {
        let expected = match name.as_str() {
            norm if norm.ends_with("norm.weight") => TensorType::F32,
            "token_embd.weight" => TensorType::F16,
            first if first.starts_with("blk.0.") => TensorType::Q5_1,
            _ => TensorType::Q4_1,
        };
        assert_eq!(kind, expected, "{name}");
    }
}

#[test]
fn rows_that_do_not_divide_into_blocks_become_f16() {
    let mut model = RandomModel::default();
    model.config.hidden = 48;
    let folder = Folder::of(&model);
    for (name, kind) in types(&folder, Recipe::Q5_0, &["ffn_up=q8_0"]) {
        let expected = match name.as_str() {
            norm if norm.ends_with("norm.weight") => TensorType::F32,
            // Their rows are 64 and 160 wide.
            whole if whole.contains("attn_output") || whole.contains("ffn_down") => {
                TensorType::Q5_0
            }
            _ => TensorType::F16,
        };
        assert_eq!(kind, expected, "{name}");
    }
}

#[test]
fn rows_that_divide_into_256_get_k_quants() {
    let mut model = RandomModel::default();
    (model.config.hidden, model.config.intermediate) = (256, 512);
    let folder = Folder::of(&model);
    for (name, kind) in types(&folder, Recipe::Q4_K_M, &["ffn_up=q2_k", "ffn_gate=q3_k"]) {
        let expected = match name.as_str() {
            norm if norm.ends_with("norm.weight") => TensorType::F32,
            // Tied, so it makes the logits.
            "token_embd.weight" => TensorType::Q6_K,
            // Of two layers, the second is in the last eighth.
            "blk.1.attn_v.weight" | "blk.1.ffn_down.weight" => TensorType::Q6_K,
            // Its rows are 64 wide.
            whole if whole.contains("attn_output") => TensorType::Q5_0,
            up if up.contains("ffn_up") => TensorType::Q2_K,
            gate if gate.contains("ffn_gate") => TensorType::Q3_K,
            _ => TensorType::Q4_K,
        };
        assert_eq!(kind, expected, "{name}");
    }
    let bytes = std::fs::read(folder.file("out.gguf")).unwrap();
    let file = GgufFile::parse(&bytes).unwrap();
    assert_eq!(file.metadata.unsigned("general.file_type"), Some(15));
    // Evenly spread weights lose about a third of a step's square: 2 bits about 0.2, 6 bits about 0.01.
    for tensor in folder.export(Recipe::Q2_K).unwrap().tensors {
        let moved = tensor.deviation.unwrap().relative_rms();
        let most = match tensor.kind {
            TensorType::F32 => 0.0,
            TensorType::Q2_K => 0.3,
            TensorType::Q3_K => 0.2,
            TensorType::Q4_0 => 0.1,
            TensorType::Q6_K => 0.02,
            other => panic!("{other} under q2_k"),
        };
        assert!(moved <= most, "{}: {moved}", tensor.name);
    }
}

#[test]
fn an_override_that_matches_nothing_leaves_no_file() {
    let folder = Folder::new();
    let choice = TypeChoice {
        overrides: vec!["attn_norm=f16".parse().unwrap()],
        ..Recipe::Q8_0.into()
    };
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let output = folder.file("out.gguf");
    let refused = export::export_as(&checkpoint, &output, &choice, true, |_| {});
    let text = refused.expect_err("a refusal").to_string();
    assert_says(
        &text,
        &["attn_norm", "matches no matrix", "vectors stay f32"],
    );
    assert!(!output.exists());
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let folder = Folder::new();
    let with_threads = |threads, recipe| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| folder.exported(recipe))
    };
    for recipe in Recipe::ALL {
        assert_eq!(with_threads(1, recipe), with_threads(5, recipe), "{recipe}");
    }
}
