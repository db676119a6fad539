//! GGUF back to a checkpoint directory, and from there again to the same tensors.

use std::path::Path;

use stride_convert::architecture::{LLAMA, MISTRAL, QWEN2, QWEN3};
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{GgufFile, Metadata};
use stride_convert::quantize::Recipe;
use stride_convert::source::{Checkpoint, WeightType};

use crate::support::{Folder, assert_says, run};

fn dequantize(folder: &Folder, from: &str, to: &str, more: &[&str]) -> (i32, String, String) {
    let (from, to) = (folder.argument(from), folder.argument(to));
    run(&[&["dequantize", &from, "-o", &to][..], more].concat())
}

/// Exports the directory `from` in `folder` as F32 and returns the bytes.
fn export(folder: &Folder, from: &str) -> Vec<u8> {
    let (from, to) = (folder.argument(from), folder.argument("again.gguf"));
    let (code, _, stderr) = run(&["export", &from, "-o", &to, "-t", "f32", "--force"]);
    assert_eq!(code, 0, "{stderr}");
    folder.read("again.gguf")
}

/// The metadata without what says of which files a GGUF was made.
fn content(metadata: &Metadata) -> Vec<(String, String)> {
    let content = metadata
        .iter()
        .filter(|(key, _)| !key.starts_with("stride.source."));
    content
        .map(|(key, value)| (key.to_owned(), format!("{value:?}")))
        .collect()
}

/// From F32, everything comes back: hyperparameters, vocabulary, what the trainer said, every weight.
#[test]
fn a_directory_makes_the_file_it_was_made_of() {
    for architecture in [&LLAMA, &MISTRAL, &QWEN2, &QWEN3] {
        for tied in [true, false] {
            let mut model = RandomModel::default();
            model.config.architecture = architecture;
            model.config.tied = tied;
            model.config.rms_eps = 1e-6;
            model.config.rope_theta = 1_000_000.0;
            model.config.window = (architecture.model_type == "mistral").then_some(512);
            // More rows than tokens: the file fills the vocabulary up, and the directory does not keep that.
            model.config.vocab = 450;
            let folder = Folder::of(&model);
            folder.export(Recipe::F32).unwrap();
            let (code, _, stderr) = dequantize(&folder, "out.gguf", "back", &[]);
            assert_eq!(code, 0, "{stderr}");
            let (first, again) = (folder.read("out.gguf"), export(&folder, "back"));
            let (first, again) = (
                GgufFile::parse(&first).unwrap(),
                GgufFile::parse(&again).unwrap(),
            );
            assert_eq!(content(&first.metadata), content(&again.metadata));
            assert_eq!(first.tensors, again.tensors);
            for tensor in &first.tensors {
                assert_eq!(first.bytes(tensor), again.bytes(tensor), "{}", tensor.name);
            }
        }
    }
}

/// The weights themselves, against the checkpoint that the file was made of: also the rotary rows are back in place.
#[test]
fn the_weights_are_those_of_the_first_checkpoint() {
    let folder = Folder::new();
    folder.export(Recipe::F32).unwrap();
    assert_eq!(dequantize(&folder, "out.gguf", "back", &[]).0, 0);
    let (first, back) = (
        Checkpoint::open(folder.path()).unwrap(),
        Checkpoint::open(&folder.file("back")).unwrap(),
    );
    assert_eq!(first.config, back.config);
    assert_eq!(first.tokenizer, back.tokenizer);
    assert_eq!(first.policy, back.policy);
    assert_eq!(first.weights.iter().len(), back.weights.iter().len());
    for (name, entry) in first.weights.iter() {
        let other = back.weights.get(name).unwrap();
        assert_eq!(entry.shape, other.shape);
        assert_eq!(
            first.weights.bytes(entry),
            back.weights.bytes(other),
            "{name}"
        );
    }
}

/// A quantized file reads as what it stands for.
#[test]
fn quantized_tensors_come_back_as_they_read() {
    let folder = Folder::new();
    folder.export(Recipe::Q4_1).unwrap();
    assert_eq!(dequantize(&folder, "out.gguf", "back", &[]).0, 0);
    let again = export(&folder, "back");
    let again = GgufFile::parse(&again).unwrap();
    let quantized = folder.read("out.gguf");
    let quantized = GgufFile::parse(&quantized).unwrap();
    for (was, is) in quantized.tensors.iter().zip(&again.tensors) {
        let mut weights = Vec::new();
        stride_convert::quantize::decode_row(was.kind, quantized.bytes(was), &mut weights).unwrap();
        let bytes: Vec<u8> = weights
            .iter()
            .flat_map(|weight| weight.to_le_bytes())
            .collect();
        assert_eq!(bytes, again.bytes(is), "{}", was.name);
    }
}

#[test]
fn half_the_bits_and_several_files() {
    let folder = Folder::of(&RandomModel {
        weights: WeightType::Bf16,
        ..RandomModel::default()
    });
    folder.export(Recipe::Bf16).unwrap();
    let more = ["-t", "BF16", "--split-max-size", "60KiB"];
    let (code, stdout, stderr) = dequantize(&folder, "out.gguf", "back", &more);
    assert_eq!(code, 0, "{stderr}");
    assert_says(&stdout, &["as BF16", "files of weights"]);
    let back = Checkpoint::open(&folder.file("back")).unwrap();
    let first = Checkpoint::open(folder.path()).unwrap();
    assert!(back.provenance.len() > 5, "{:?}", back.provenance);
    for (name, entry) in first.weights.iter() {
        let other = back.weights.get(name).unwrap();
        assert_eq!(other.kind, WeightType::Bf16);
        assert_eq!(
            first.weights.bytes(entry),
            back.weights.bytes(other),
            "{name}"
        );
    }
    for file in std::fs::read_dir(folder.file("back")).unwrap() {
        let file = file.unwrap();
        let name = file.file_name().into_string().unwrap();
        let header = 8 * 1024;
        assert!(!name.contains("-of-") || file.metadata().unwrap().len() < 60 * 1024 + header);
    }
}

fn entries(path: &Path) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

#[test]
fn a_directory_that_holds_something_is_kept() {
    let folder = Folder::new();
    folder.export(Recipe::F32).unwrap();
    std::fs::create_dir(folder.file("back")).unwrap();
    assert_eq!(dequantize(&folder, "out.gguf", "back", &[]).0, 0);
    let count = entries(&folder.file("back"));
    assert_eq!(count, 5);
    let before = folder.names();
    for taken in ["back", "config.json"] {
        let (code, _, stderr) = dequantize(&folder, "out.gguf", taken, &[]);
        assert_eq!(code, 1);
        assert_says(&stderr, &[taken, "exists"]);
    }
    assert_eq!(
        (folder.names(), entries(&folder.file("back"))),
        (before, count)
    );
}

/// What the directory could not hold is refused by name, and nothing is left.
#[test]
fn a_model_that_would_become_another_is_refused() {
    let folder = Folder::new();
    folder.export(Recipe::F32).unwrap();
    let refusal = |change: &dyn Fn(&mut Metadata), parts: &[&str]| {
        folder.rewrite("out.gguf", "in.gguf", change);
        let before = folder.names();
        let (code, _, stderr) = dequantize(&folder, "in.gguf", "back", &[]);
        assert_eq!(code, 1);
        assert_says(&stderr, parts);
        assert_eq!(folder.names(), before);
    };
    let set = |key: &'static str, text: &'static str| {
        move |metadata: &mut Metadata| {
            metadata.set(key, text);
        }
    };
    let number = |key: &'static str, number: u32| {
        move |metadata: &mut Metadata| {
            metadata.set(key, number);
        }
    };
    let remove = |key: &'static str| {
        move |metadata: &mut Metadata| {
            metadata.remove(key);
        }
    };
    refusal(
        &set("general.architecture", "mamba"),
        &["\"mamba\"", "can be turned back"],
    );
    refusal(
        &remove("llama.block_count"),
        &["llama.block_count is absent"],
    );
    refusal(
        &number("llama.block_count", 3),
        &["no tensor \"blk.2.attn_norm.weight\""],
    );
    refusal(
        &number("llama.block_count", 1),
        &["no place for tensor \"blk.1."],
    );
    refusal(
        &number("llama.attention.head_count", 0),
        &["num_attention_heads"],
    );
    refusal(
        &number("llama.feed_forward_length", 128),
        &["blk.0.ffn_gate.weight", "shape"],
    );
    refusal(
        &number("llama.rope.dimension_count", 8),
        &["llama.rope.dimension_count is 8"],
    );
    refusal(
        &set("llama.rope.scaling.type", "longrope"),
        &["llama.rope.scaling.type"],
    );
    refusal(
        &set("tokenizer.ggml.model", "llama"),
        &["tokenizer.ggml.model is \"llama\""],
    );
    refusal(
        &set("tokenizer.ggml.pre", "tekken"),
        &["tokenizer.ggml.pre is \"tekken\""],
    );
    refusal(
        &remove("tokenizer.ggml.merges"),
        &["tokenizer.ggml.merges is absent"],
    );
    let twice = |metadata: &mut Metadata| {
        let mut tokens = metadata.texts("tokenizer.ggml.tokens").unwrap().to_vec();
        tokens[20] = tokens[21].clone();
        metadata.set("tokenizer.ggml.tokens", tokens);
    };
    refusal(&twice, &["stands twice"]);
    let merge = |metadata: &mut Metadata| {
        metadata.set("tokenizer.ggml.merges", vec!["qq qq".to_owned()]);
    };
    refusal(&merge, &["the merge \"qq qq\""]);
}
