//! The program: its commands and its exit codes.

use serde_json::Value;
use stride_convert::architecture::MISTRAL;
use stride_convert::fixtures::RandomModel;

use crate::support::{Folder, assert_says, run};

struct Paths {
    folder: Folder,
    source: String,
    output: String,
}

fn paths() -> Paths {
    let folder = Folder::new();
    let source = folder.path().display().to_string();
    let output = folder.file("policy.gguf").display().to_string();
    Paths {
        folder,
        source,
        output,
    }
}

#[test]
fn export_inspect_card() {
    let Paths {
        folder: _folder,
        source,
        output,
    } = paths();
    let (code, stdout, _) = run(&["export", &source, "-o", &output, "--type", "q4_0", "-v"]);
    assert_eq!(code, 0);
    assert_says(
        &stdout,
        &["blk.0.attn_q.weight", "Q4_0", "largest error", "wrote"],
    );

    let (code, stdout, _) = run(&["inspect", &output]);
    assert_eq!(code, 0);
    assert_says(
        &stdout,
        &[
            "GGUF version 3",
            "bits per weight",
            "stride.layout.version = 1",
        ],
    );

    let (code, stdout, _) = run(&["inspect", &output, "--json"]);
    assert_eq!(code, 0);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["metadata"]["stride.layout.version"], 1);
    assert_eq!(json["metadata"]["stride.markers"][1], "<|end|>");
    assert_eq!(json["metadata"]["tokenizer.ggml.tokens"]["len"], 407);
    assert_eq!(json["tensors"][0]["type"], "Q8_0");
    assert_eq!(json["types"]["Q4_0"], 14);

    let (code, stdout, _) = run(&["card", &output]);
    assert_eq!(code, 0);
    assert!(stdout.starts_with("# random-weights\n"));
}

#[test]
fn what_a_policy_reads_can_be_stated() {
    let Paths {
        folder,
        source,
        output,
    } = paths();
    let export = |more: &[&str]| {
        let mut arguments = vec!["export", &source, "-o", &output, "--force"];
        arguments.extend(more);
        run(&arguments)
    };
    assert_eq!(export(&[]).0, 0);
    assert!(!run(&["inspect", &output]).1.contains("capacity.completed"));
    assert_eq!(export(&["--completed", "2"]).0, 0);
    assert_says(
        &run(&["inspect", &output]).1,
        &[
            "stride.capacity.completed = 2",
            "stride.capacity.progress = 512",
        ],
    );
    for number in ["0", "9"] {
        let (code, _, stderr) = export(&["--completed", number]);
        assert_eq!(code, 2);
        assert_says(&stderr, &["--completed", "1..=8"]);
    }
    std::fs::remove_file(folder.file("stride.json")).unwrap();
    let (code, _, stderr) = export(&["--completed", "2"]);
    assert_eq!(code, 1);
    assert_says(&stderr, &["there is no stride.json"]);
}

#[test]
fn an_output_that_exists_is_kept_without_force() {
    let Paths {
        folder,
        source,
        output,
    } = paths();
    std::fs::write(&output, "mine").unwrap();
    let (code, _, stderr) = run(&["export", &source, "-o", &output]);
    assert_eq!(code, 1);
    assert_says(&stderr, &["policy.gguf exists", "--force"]);
    assert_eq!(std::fs::read(folder.file("policy.gguf")).unwrap(), b"mine");
    assert_eq!(run(&["export", &source, "-o", &output, "--force"]).0, 0);
    assert!(
        std::fs::read(folder.file("policy.gguf"))
            .unwrap()
            .starts_with(b"GGUF")
    );
}

#[test]
fn a_dry_run_writes_nothing_and_tells_the_size() {
    let Paths {
        folder,
        source,
        output,
    } = paths();
    let (code, stdout, _) = run(&["export", &source, "-o", &output, "--dry-run"]);
    assert_eq!(code, 0);
    assert!(!folder.file("policy.gguf").exists());
    run(&["export", &source, "-o", &output]);
    let bytes = std::fs::metadata(&output).unwrap().len();
    assert_says(&stdout, &["would write", &format!("{bytes} bytes")]);
}

#[test]
fn failures_exit_with_1_and_wrong_usage_with_2() {
    let Paths {
        folder,
        source,
        output,
    } = paths();
    assert_eq!(
        run(&["inspect", &folder.file("absent").display().to_string()]).0,
        1
    );
    let (code, _, stderr) = run(&["inspect", &folder.file("config.json").display().to_string()]);
    assert_eq!(code, 1);
    assert_says(
        &stderr,
        &["config.json is refused", "at byte 0", "not a GGUF file"],
    );
    assert_eq!(run(&["export", "/nonexistent", "-o", &output]).0, 1);
    assert_eq!(run(&["export", &source, "-o", "/nonexistent/a.gguf"]).0, 1);
    assert_eq!(
        run(&["export", &source, "-o", &output, "--type", "q3"]).0,
        2
    );
    assert_eq!(run(&["export", &source]).0, 2);
    assert_eq!(run(&[]).0, 2);
    assert_eq!(run(&["--help"]).0, 0);
}

#[test]
fn a_file_without_a_card_says_so() {
    let Paths {
        folder,
        source,
        output,
    } = paths();
    std::fs::remove_file(folder.file("stride.json")).unwrap();
    let (code, _, stderr) = run(&["export", &source, "-o", &output]);
    assert_eq!(code, 0);
    assert_says(&stderr, &["warning: no stride.json"]);
    let (code, _, stderr) = run(&["card", &output]);
    assert_eq!(code, 1);
    assert_says(&stderr, &["no model card"]);
}

#[test]
fn a_window_that_llama_cpp_does_not_keep_is_a_warning() {
    let mut model = RandomModel::default();
    model.config.architecture = &MISTRAL;
    model.config.window = Some(512);
    let folder = Folder::of(&model);
    let (source, output) = (
        folder.path().display().to_string(),
        folder.file("policy.gguf").display().to_string(),
    );
    let (code, _, stderr) = run(&["export", &source, "-o", &output]);
    assert_eq!(code, 0);
    assert_says(&stderr, &["warning", "512 positions"]);
}

#[test]
fn single_tensors_get_another_type() {
    let Paths {
        folder: _folder,
        source,
        output,
    } = paths();
    let export = ["export", &source, "-o", &output, "--type", "Q5_0"];
    let (code, ..) = run(&[&export[..], &["--tensor-type", "ffn_down=bf16"]].concat());
    assert_eq!(code, 0);
    let (_, stdout, _) = run(&["inspect", &output, "--json"]);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["types"]["BF16"], 2);
    assert_eq!(json["types"]["Q5_0"], 12);
    assert_eq!(json["metadata"]["general.file_type"], 8);
    let (code, _, stderr) = run(&[&export[..], &["--force", "--tensor-type", "fnn=q8_0"]].concat());
    assert_eq!(code, 1);
    assert_says(&stderr, &["fnn", "matches no matrix"]);
    let (code, _, stderr) = run(&[&export[..], &["--tensor-type", "ffn"]].concat());
    assert_eq!(code, 2);
    assert_says(&stderr, &["PATTERN=TYPE"]);
}
