//! Conversions under an importance matrix.

use assert_cmd::Command;
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::GgufFile;
use stride_convert::importance::ImportanceMatrix;

use crate::support::{Folder, assert_says, write_transitions};

/// Writes the old form of a matrix for the default model, whose rows are 64 and 160 wide, with the entries that `keep`
/// names; every third column counts nine times.
fn write(folder: &Folder, wide: usize, keep: impl Fn(&str) -> bool) -> String {
    let parts = [
        "attn_q",
        "attn_k",
        "attn_v",
        "attn_output",
        "ffn_gate",
        "ffn_up",
        "ffn_down",
    ];
    let names = (0..2).flat_map(|layer| parts.map(|part| format!("blk.{layer}.{part}.weight")));
    let names: Vec<String> = names.filter(|name| keep(name)).collect();
    let mut bytes = (names.len() as i32).to_le_bytes().to_vec();
    for name in &names {
        let columns = if name.contains("ffn_down") { wide } else { 64 };
        bytes.extend((name.len() as i32).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(2_i32.to_le_bytes());
        bytes.extend((columns as i32).to_le_bytes());
        for column in 0..columns {
            let sum: f32 = if column % 3 == 0 { 18.0 } else { 2.0 };
            bytes.extend(sum.to_le_bytes());
        }
    }
    bytes.extend(3_i32.to_le_bytes());
    let path = folder.file("measured.imatrix");
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

/// Exports as Q4_0 with more arguments; exit code and stderr.
fn export(folder: &Folder, more: &[&str]) -> (Option<i32>, String) {
    let source = folder.path().display().to_string();
    let output = folder.file("out.gguf").display().to_string();
    let fixed = [
        "export", &source, "-o", &output, "--force", "--type", "q4_0",
    ];
    let mut program = Command::cargo_bin("stride-convert").unwrap();
    let done = program.args(fixed).args(more).output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn the_matrix_moves_weights_and_is_named_in_the_file() {
    let folder = Folder::new();
    assert_eq!(export(&folder, &[]).0, Some(0));
    let plain = std::fs::read(folder.file("out.gguf")).unwrap();
    let matrix = write(&folder, 160, |_| true);
    let (code, stderr) = export(&folder, &["--imatrix", &matrix]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(!stderr.contains("has nothing for"), "{stderr}");
    let weighed = std::fs::read(folder.file("out.gguf")).unwrap();
    let (plain, weighed) = (
        GgufFile::parse(&plain).unwrap(),
        GgufFile::parse(&weighed).unwrap(),
    );
    for (before, after) in plain.tensors.iter().zip(&weighed.tensors) {
        let measured = before.name.starts_with("blk.") && !before.name.contains("norm");
        let moved = plain.bytes(before) != weighed.bytes(after);
        assert_eq!(moved, measured, "{}", before.name);
    }
    let metadata = &weighed.metadata;
    assert_eq!(
        metadata.text("quantize.imatrix.file"),
        Some("measured.imatrix")
    );
    assert_eq!(
        metadata.unsigned("quantize.imatrix.entries_count"),
        Some(14)
    );
    assert_eq!(metadata.unsigned("quantize.imatrix.chunks_count"), Some(3));
}

#[test]
fn what_was_not_measured_is_named_and_another_models_matrix_refused() {
    let folder = Folder::new();
    let matrix = write(&folder, 160, |name| !name.contains("attn_k"));
    let (code, stderr) = export(&folder, &["--imatrix", &matrix]);
    assert_eq!(code, Some(0));
    assert_says(
        &stderr,
        &["has nothing for 2 matrices", "blk.0.attn_k.weight first"],
    );
    let matrix = write(&folder, 128, |_| true);
    let (code, stderr) = export(&folder, &["--imatrix", &matrix]);
    assert_eq!(code, Some(1));
    assert_says(
        &stderr,
        &[
            "128 numbers",
            "blk.0.ffn_down.weight",
            "160",
            "another model",
        ],
    );
    std::fs::write(folder.file("measured.imatrix"), "no matrix").unwrap();
    let (code, stderr) = export(&folder, &["--imatrix", &matrix]);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["measured.imatrix is refused", "at byte"]);
}

/// The text that `llama-imatrix` was run on, and what it made of the default model exported as F32:
/// `llama-imatrix -m model-f32.gguf -f imatrix.txt -o llama_imatrix.gguf -c 64 -b 64 -ub 64 -ctk f32 -ctv f32 -fa off`
/// (with a cache of 16-bit numbers it is 2e-4 away from itself).
const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/imatrix.txt");
const LLAMA_IMATRIX: &[u8] = include_bytes!("../data/llama_imatrix.gguf");

/// Measures on `source` with more arguments; exit code, stdout and stderr.
fn measure(folder: &Folder, source: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let output = folder.argument("ours.gguf");
    let mut program = Command::cargo_bin("stride-convert").unwrap();
    let fixed = ["imatrix", source, "-o", &output];
    let done = program.args(fixed).args(more).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn what_is_measured_is_what_llama_imatrix_measures() {
    let folder = Folder::new();
    let checkpoint = folder.path().display().to_string();
    let gguf = folder.argument("model.gguf");
    let mut program = Command::cargo_bin("stride-convert").unwrap();
    program.args(["export", &checkpoint, "-o", &gguf, "-t", "f32"]);
    program.assert().success();
    let reference = ImportanceMatrix::parse(LLAMA_IMATRIX, "llama").unwrap();
    assert_eq!((reference.len(), reference.chunks), (14, 5));
    for source in [&checkpoint, &gguf] {
        let shown = ["--text", TEXT, "--context", "64", "--force"];
        let (code, stdout, stderr) = measure(&folder, source, &shown);
        assert_eq!(code, Some(0), "{stderr}");
        assert_says(
            &stdout,
            &["14 matrices", "320 tokens in 5 sequences of imatrix.txt"],
        );
        let ours = ImportanceMatrix::open(&folder.file("ours.gguf")).unwrap();
        assert_eq!((ours.len(), ours.chunks), (14, 5));
        assert_eq!(ours.dataset.as_deref(), Some("imatrix.txt"));
        for (name, expected) in reference.iter() {
            let got = ours.of(name).unwrap();
            assert_eq!(got.len(), expected.len());
            for (column, (got, expected)) in got.iter().zip(expected).enumerate() {
                let error = (got - expected).abs() / expected;
                assert!(error < 1e-5, "{name} {column}: {got} {expected}");
            }
        }
    }
    // It is what scales are searched under.
    assert_eq!(export(&folder, &[]).0, Some(0));
    let plain = std::fs::read(folder.file("out.gguf")).unwrap();
    let ours = folder.argument("ours.gguf");
    let (code, stderr) = export(&folder, &["--imatrix", &ours]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let weighed = std::fs::read(folder.file("out.gguf")).unwrap();
    let weighed = GgufFile::parse(&weighed).unwrap();
    let plain = GgufFile::parse(&plain).unwrap();
    let name = "blk.1.ffn_down.weight";
    let bytes = |file: &GgufFile<'_>| {
        let tensor = file.tensors.iter().find(|tensor| tensor.name == name);
        file.bytes(tensor.unwrap()).to_vec()
    };
    assert_ne!(bytes(&plain), bytes(&weighed));
    let dataset = weighed.metadata.text("quantize.imatrix.dataset");
    assert_eq!(dataset, Some("imatrix.txt"));
}

#[test]
fn transitions_are_measured_whole_and_the_output_matrix_when_asked() {
    let mut model = RandomModel::default();
    model.config.tied = false;
    let folder = Folder::of(&model);
    let source = folder.path().display().to_string();
    write_transitions(&folder.file("t.jsonl"));
    let data = folder.argument("t.jsonl");
    let (code, stdout, stderr) = measure(&folder, &source, &["--transitions", &data]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_says(&stdout, &["14 matrices", "of t.jsonl"]);
    let first = ImportanceMatrix::open(&folder.file("ours.gguf")).unwrap();
    // A file that stands there is not touched.
    let (code, _, stderr) = measure(&folder, &source, &["--transitions", &data]);
    assert_eq!(code, Some(1));
    assert_says(&stderr, &["ours.gguf", "exists"]);
    let all = ["--transitions", &data, "--process-output", "--force"];
    assert_eq!(measure(&folder, &source, &all).0, Some(0));
    let second = ImportanceMatrix::open(&folder.file("ours.gguf")).unwrap();
    assert_eq!(second.len(), 15);
    assert!(
        second
            .of("output.weight")
            .is_some_and(|values| values.len() == 64)
    );
    for (name, values) in first.iter() {
        assert_eq!(second.of(name), Some(values));
    }
    let (code, _, stderr) = measure(&folder, &source, &[]);
    assert_eq!(code, Some(2));
    assert_says(&stderr, &["--text", "--transitions"]);
}
