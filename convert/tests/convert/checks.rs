//! `verify` and the gate: what passes, what is found, what is refused.

use std::path::Path;

use serde_json::{Value, json};
use stride_convert::architecture::{Architecture, GEMMA2, GEMMA3, LLAMA, PHI3, QWEN2, QWEN3};
use stride_convert::encoder::{Encoder, FrameEncoder};
use stride_convert::fixtures::RandomModel;
use stride_convert::forward::Parameters;
use stride_convert::gguf::GgufFile;
use stride_convert::quantize::Recipe;
use stride_convert::source::Checkpoint;
use stride_convert::transitions::Transitions;
use stride_convert::verify::{self, Report, Samples};

use crate::support::{self, Folder, assert_says, write_transitions};

fn compared(folder: &Folder) -> Report {
    let path = folder.file("transitions.jsonl");
    write_transitions(&path);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let source = Parameters::of_checkpoint(&checkpoint).unwrap();
    let encoder = Encoder::open(&folder.file("tokenizer.json")).unwrap();
    let encoder = FrameEncoder::new(encoder).unwrap();
    let transitions = Transitions::read(&path, 4).unwrap();
    let samples = Samples::of_transitions(&encoder, &transitions, 2048).unwrap();
    verify::with_gguf(&folder.file("out.gguf"), |file, _| {
        verify::verify(&source, file, &samples, |_| {}).unwrap()
    })
    .unwrap()
}

/// Writes other bytes over the data of a tensor of `out.gguf`.
fn damage(folder: &Folder, tensor: &str, change: impl FnOnce(&mut [u8])) {
    let path = folder.file("out.gguf");
    let mut bytes = std::fs::read(&path).unwrap();
    let (start, len) = {
        let file = GgufFile::parse(&bytes).unwrap();
        let data = file.bytes(file.tensor(tensor).unwrap());
        (data.as_ptr() as usize - bytes.as_ptr() as usize, data.len())
    };
    change(&mut bytes[start..start + len]);
    std::fs::write(path, bytes).unwrap();
}

fn folder(architecture: &'static Architecture) -> Folder {
    let mut model = RandomModel::default();
    model.config.architecture = architecture;
    Folder::of(&model)
}

/// The checkpoint is computed with rotary halves, the file with rotary pairs where llama.cpp has them, each from its own
/// hyperparameters: that they agree to rounding shows names, keys and the order of rows.
#[test]
fn an_f32_file_computes_what_its_checkpoint_computes() {
    for architecture in [&LLAMA, &QWEN2, &QWEN3] {
        let folder = folder(architecture);
        folder.export(Recipe::F32).unwrap();
        let report = compared(&folder);
        let all = report.predictions.unwrap();
        assert!(
            all.largest_kl < 1e-9,
            "{}: {all:?}",
            architecture.model_type
        );
        assert_eq!(all.top1, 1.0);
        assert_eq!(report.samples, 12);
        assert!(report.tensors.iter().all(|tensor| tensor.largest == 0.0));
        assert_eq!(report.groups.len(), 3);
    }
}

#[test]
fn rows_in_another_order_are_found_in_the_predictions() {
    let folder = folder(&LLAMA);
    folder.export(Recipe::F32).unwrap();
    // 64 columns of f32: the first two rows of the first head change places, as if they had not been reordered.
    damage(&folder, "blk.0.attn_q.weight", |bytes| {
        let (first, second) = bytes.split_at_mut(256);
        first.swap_with_slice(&mut second[..256]);
    });
    let report = compared(&folder);
    assert!(report.predictions.unwrap().mean_kl > 1e-7);
    let moved = report.tensors.iter().filter(|one| one.largest > 0.0);
    assert_eq!(
        moved.map(|one| &one.name).collect::<Vec<_>>(),
        ["blk.0.attn_q.weight"]
    );
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn run(arguments: &[&str]) -> Run {
    let (code, stdout, stderr) = support::run(arguments);
    Run {
        code,
        stdout,
        stderr,
    }
}

fn text_of(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn verify_passes_at_q8_0_and_fails_for_a_damaged_tensor() {
    let folder = Folder::new();
    folder.export(Recipe::Q8_0).unwrap();
    write_transitions(&folder.file("transitions.jsonl"));
    let (source, file, transitions) = (
        text_of(folder.path()),
        text_of(&folder.file("out.gguf")),
        text_of(&folder.file("transitions.jsonl")),
    );
    let arguments = [
        "verify",
        &source,
        &file,
        "--transitions",
        &transitions,
        "--samples",
        "5",
        "--limit-kl",
        "0.02",
        "--limit-error",
        "0.01",
        "--limit-perplexity",
        "1.1",
        "--json",
    ];
    let good = run(&arguments);
    assert_eq!(good.code, 0, "{}", good.stderr);
    let json: Value = serde_json::from_str(&good.stdout).unwrap();
    assert_eq!(json["samples"], 15);
    assert_eq!(json["exceeded"], json!([]));
    let kl = json["predictions"]["mean_kl"].as_f64().unwrap();
    assert!(kl > 0.0 && kl < 0.02, "{kl}");

    // Every scale of the tensor, two bytes of 34, becomes twice as large: one more in the exponent of binary16.
    damage(&folder, "blk.1.ffn_down.weight", |bytes| {
        bytes.chunks_exact_mut(34).for_each(|block| block[1] += 4);
    });
    let bad = run(&arguments);
    assert_eq!(bad.code, 1);
    assert_says(
        &bad.stderr,
        &[
            "relative error of blk.1.ffn_down.weight is ",
            "mean KL divergence",
        ],
    );

    damage(&folder, "blk.1.ffn_down.weight", |bytes| {
        bytes[..2].copy_from_slice(&[0, 0x7e])
    });
    let nan = run(&arguments);
    assert_eq!(nan.code, 1);
    assert_says(
        &nan.stderr,
        &["row 0 of tensor \"blk.1.ffn_down.weight\" is NaN"],
    );
}

#[test]
fn a_text_is_looked_at_in_windows_and_an_unmeasured_limit_fails() {
    let folder = Folder::new();
    folder.export(Recipe::Q8_0).unwrap();
    let text = folder.file("text.txt");
    std::fs::write(&text, "you see a drawer 2 and a cabinet 1. ".repeat(40)).unwrap();
    let (source, file, text) = (
        text_of(folder.path()),
        text_of(&folder.file("out.gguf")),
        text_of(&text),
    );
    let windows = run(&[
        "verify",
        &source,
        &file,
        "--text",
        &text,
        "--context",
        "64",
        "--windows",
        "3",
        "--json",
    ]);
    assert_eq!(windows.code, 0, "{}", windows.stderr);
    let json: Value = serde_json::from_str(&windows.stdout).unwrap();
    // The second half of each window but its first token, which nothing predicts there.
    assert_eq!(
        (&json["samples"], &json["predictions"]["tokens"]),
        (&json!(3), &json!(93))
    );
    let unmeasured = run(&["verify", &source, &file, "--limit-kl", "1"]);
    assert_eq!(unmeasured.code, 1);
    assert_says(&unmeasured.stderr, &["mean KL divergence was not measured"]);
    assert_says(
        &unmeasured.stdout,
        &["blk.0.attn_q.weight", "the largest relative rms"],
    );
}

#[test]
fn a_file_of_another_model_is_refused() {
    let folder = Folder::new();
    let other = RandomModel {
        merges: 100,
        ..RandomModel::default()
    };
    let other = Folder::of(&other);
    other.export(Recipe::F32).unwrap();
    let refused = run(&[
        "verify",
        &text_of(folder.path()),
        &text_of(&other.file("out.gguf")),
    ]);
    assert_eq!(refused.code, 1);
    assert_says(
        &refused.stderr,
        &["another vocabulary", "tokenizer.ggml.tokens"],
    );
    let absent = run(&["verify", &text_of(folder.path()), "/nonexistent.gguf"]);
    assert_eq!(absent.code, 1);
    assert_says(&absent.stderr, &["cannot read /nonexistent.gguf"]);
}

/// As source and as file; what only one of them says is refused too.
#[test]
fn networks_that_are_not_computed_are_refused_by_name() {
    let refusal = |folder: &Folder| {
        folder.export(Recipe::F32).unwrap();
        let (source, file) = (text_of(folder.path()), text_of(&folder.file("out.gguf")));
        [[&source, &file], [&file, &file]].map(|[source, file]| {
            let refused = run(&["verify", source, file]);
            assert_eq!(refused.code, 1);
            refused.stderr
        })
    };
    for architecture in [&GEMMA2, &GEMMA3, &PHI3] {
        let mut model = RandomModel::default();
        model.config.architecture = architecture;
        model.config.window = Some(512);
        if architecture != &PHI3 {
            model.config.logit_cap = Some(30.0);
        }
        if architecture == &GEMMA2 {
            model.config.attention_cap = Some(50.0);
        }
        for text in refusal(&Folder::of(&model)) {
            let name = format!("does not know the architecture {:?}", architecture.name);
            assert_says(&text, &[&name]);
        }
    }
    let folder = Folder::new();
    for (scaling, says) in [
        (
            json!({ "rope_type": "linear", "factor": 2.0 }),
            [
                "rope_scaling is Linear",
                "llama.rope.scaling.type is \"linear\"",
            ],
        ),
        (
            json!({ "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512 }),
            [
                "rope_scaling is Yarn",
                "llama.rope.scaling.type is \"yarn\"",
            ],
        ),
        (
            json!({
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            }),
            [
                "rope_scaling is Llama3",
                "rope_freqs.weight scales positions",
            ],
        ),
    ] {
        folder.edit("config.json", |config| config["rope_scaling"] = scaling);
        for (text, says) in refusal(&folder).iter().zip(says) {
            assert_says(text, &[says, "the forward pass does not compute"]);
        }
    }
    // llama.cpp takes a factor alone for a linear one.
    folder.edit("config.json", |config| config["rope_scaling"] = Value::Null);
    folder.export(Recipe::F32).unwrap();
    folder.rewrite("out.gguf", "scaled.gguf", |metadata| {
        metadata.set("llama.rope.scaling.factor", 2.0_f32);
    });
    let (source, file) = (text_of(folder.path()), text_of(&folder.file("scaled.gguf")));
    let refused = run(&["verify", &source, &file]);
    assert_eq!(refused.code, 1);
    assert_says(&refused.stderr, &["llama.rope.scaling.factor is "]);
}

#[test]
fn the_gate_records_what_it_found_and_refuses_what_drifts() {
    let folder = Folder::new();
    let transitions = folder.file("transitions.jsonl");
    write_transitions(&transitions);
    let (source, transitions) = (text_of(folder.path()), text_of(&transitions));
    let export = |kind: &str, agreement: &str| {
        let output = text_of(&folder.file(&format!("{kind}.gguf")));
        run(&[
            "export",
            &source,
            "-o",
            &output,
            "--type",
            kind,
            "--gate",
            &transitions,
            "--gate-samples",
            "6",
            "--gate-agreement",
            agreement,
            "--force",
        ])
    };
    let good = export("f32", "1");
    assert_eq!(good.code, 0, "{}", good.stderr);
    assert_says(
        &good.stdout,
        &["gate: high 6 of 6, low 6 of 6, progress 6 of 6, done flag 6 of 6"],
    );
    let bytes = std::fs::read(folder.file("f32.gguf")).unwrap();
    let file = GgufFile::parse(&bytes).unwrap();
    let json = stride_convert::inspect::to_json(&file, 0, false);
    let metadata = &json["metadata"];
    assert_eq!(metadata["stride.gate.low.samples"], 6);
    assert_eq!(metadata["stride.gate.progress.agreement"], 1.0);
    assert_eq!(metadata["stride.gate.limit"], 1.0);
    assert!(metadata["stride.gate.kl.mean"].as_f64().unwrap() < 1e-9);
    assert_eq!(
        metadata["stride.gate.transitions.sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
    // The same bytes again, and the same tensors as without the gate.
    assert_eq!(export("f32", "1").code, 0);
    assert_eq!(std::fs::read(folder.file("f32.gguf")).unwrap(), bytes);
    let plain = folder.exported(Recipe::F32);
    let plain = GgufFile::parse(&plain).unwrap();
    for tensor in &plain.tensors {
        assert_eq!(
            file.bytes(file.tensor(&tensor.name).unwrap()),
            plain.bytes(tensor)
        );
    }

    // Random weights decide by hair's breadths, so four bits change what they say.
    let before = folder.names();
    let bad = export("q4_0", "0.99");
    assert_eq!(bad.code, 1);
    assert_says(
        &bad.stderr,
        &[
            "q4_0.gguf is not published",
            "progress: ",
            "the limit is 99.00 %",
            "became",
        ],
    );
    assert_eq!(folder.names(), before, "nothing is left");
}

#[test]
fn a_gate_that_cannot_judge_publishes_nothing() {
    let folder = Folder::new();
    let empty = folder.file("empty.jsonl");
    std::fs::write(&empty, "\n").unwrap();
    let (source, output) = (text_of(folder.path()), text_of(&folder.file("policy.gguf")));
    let gated = |transitions: &str, more: &[&str]| {
        let all = [
            &["export", &source, "-o", &output, "--gate", transitions],
            more,
        ]
        .concat();
        run(&all)
    };
    let refused = gated(&text_of(&empty), &[]);
    assert_eq!(refused.code, 1);
    assert_says(&refused.stderr, &["empty.jsonl holds no transition"]);
    write_transitions(&folder.file("transitions.jsonl"));
    let refused = gated(
        &text_of(&folder.file("transitions.jsonl")),
        &["--split-max-size", "100K"],
    );
    assert_eq!(refused.code, 1);
    assert_says(&refused.stderr, &["shards"]);
    assert!(!folder.file("policy.gguf").exists());
}
