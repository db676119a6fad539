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
        recipe,
        overrides: overrides.iter().map(|text| text.parse().unwrap()).collect(),
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
fn an_override_that_matches_nothing_leaves_no_file() {
    let folder = Folder::new();
    let choice = TypeChoice {
        recipe: Recipe::Q8_0,
        overrides: vec!["attn_norm=f16".parse().unwrap()],
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
