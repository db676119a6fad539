//! Conversions under an importance matrix.

use assert_cmd::Command;
use stride_convert::gguf::GgufFile;

use crate::support::{Folder, assert_says};

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
