//! Train, convert, run: a tiny policy goes through the programs that a user starts, and computes the same on both sides.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use stride_agent::policy::Policy as _;
use stride_agent::transition::Transition;
use stride_engine::{EngineOptions, KvType, LlamaPolicy, PerLevel};
use stride_firmware_config::frame::Marker;
use stride_train::policy::CandlePolicy;
use tempfile::TempDir;
use tokenizers::Tokenizer;

use crate::demonstrations;
use crate::support::{folder, program, refuse, root, succeed};

/// Tokens of an utterance at most, where both sides are compared.
const CAP: u32 = 24;

/// Settings of a policy that is trained within seconds and knows next to nothing.
pub const TINY: &str = "\
[run]
steps = 120
batch_tokens = 2048
micro_tokens = 512
threads = 1
log_every = 10
eval_every = 60
eval_samples = 20
save_every = 60

[model]
hidden = 48
layers = 2
heads = 3
kv_heads = 3
ffn = 96
max_positions = 2048

[tokenizer]
vocab_size = 640

[data]
held_out = 0.25

[optimizer]
lr = 0.003
";

/// What the programs made, once for all tests.
struct Made {
    folder: TempDir,
    demonstrations: PathBuf,
    transitions: Vec<Transition>,
}

impl Made {
    fn checkpoint(&self) -> PathBuf {
        self.folder.path().join("checkpoint")
    }

    fn gguf(&self) -> PathBuf {
        self.folder.path().join("policy.gguf")
    }
}

/// `stride-train demos` -> `stride-train bc` -> `stride-train export` -> `stride-convert export`.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = folder();
        let at = |name: &str| folder.path().join(name);
        let demos = demonstrations::make(folder.path());
        let transitions = demonstrations::read(&demos);
        std::fs::write(at("tiny.toml"), TINY).unwrap();
        let train = |arguments: &[&Path]| succeed(program("stride-train").args(arguments));
        train(&[
            "bc".as_ref(),
            "--config".as_ref(),
            &at("tiny.toml"),
            "--data".as_ref(),
            &demos,
            "--out".as_ref(),
            &at("run"),
        ]);
        assert!(at("run/report.html").exists());
        train(&[
            "export".as_ref(),
            "--run".as_ref(),
            &at("run"),
            "--last".as_ref(),
            "--out".as_ref(),
            &at("checkpoint"),
        ]);
        succeed(
            program("stride-convert")
                .arg("export")
                .arg(at("checkpoint"))
                .arg("--output")
                .arg(at("policy.gguf"))
                .args(["--type", "f32"]),
        );
        Made {
            folder,
            demonstrations: demos,
            transitions,
        }
    })
}

/// The engine with nothing rounded but what the file rounds.
pub fn engine(path: &Path) -> LlamaPolicy {
    let options = EngineOptions {
        kv_type: KvType::F32,
        utterance_caps: PerLevel::all(CAP),
        // Two threads wait for each other by spinning; other tests may need the cores.
        threads: NonZeroU32::MIN,
        ..EngineOptions::default()
    };
    LlamaPolicy::load(path, options).unwrap()
}

#[test]
fn a_trained_and_converted_policy_is_evaluated() {
    let made = made();
    let report = made.folder.path().join("report.json");
    let record = made.folder.path().join("record.jsonl.zst");
    let table = succeed(
        program("stride-eval")
            .arg("run")
            .arg("--policy")
            .arg(made.gguf())
            .args([
                "--world",
                "household:100..103",
                "--max-actions",
                "6",
                "--threads",
                "1",
                "--json",
            ])
            .arg(&report)
            .arg("--record")
            .arg(&record),
    );
    assert!(table.contains("tokens (prompt + generated)"), "{table}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    assert_eq!(report["partial"], false);
    assert_eq!(report["episodes"].as_array().unwrap().len(), 3);
    assert_eq!(report["episodes"][0]["game"], "household:100");
    assert_eq!(report["summary"]["ends"]["error"], 0);
    assert_eq!(report["policy"]["sha256"].as_str().unwrap().len(), 64);
    let transitions = demonstrations::read(&record);
    let calls = &report["summary"]["calls"];
    let calls = ["high", "low", "progress"].map(|level| calls[level].as_u64().unwrap());
    assert_eq!(transitions.len() as u64, calls.iter().sum::<u64>());
}

/// A GGUF is a backbone, in a run's folder that is not there yet; what was made of one file is not taken for another's.
#[test]
fn a_gguf_is_trained_on() {
    let made = made();
    let demos = made.demonstrations.clone();
    let run = made.folder.path().join("deep/tuned");
    let tune = |gguf: &Path| {
        let mut command = program("stride-train");
        command.args(["bc", "--steps", "2", "--threads", "1", "--backbone"]);
        command.arg(gguf).arg("--data").arg(&demos).arg("--out");
        command.arg(&run);
        command
    };
    let printed = succeed(&mut tune(&made.gguf()));
    assert!(printed.contains("saved"), "{printed}");
    std::fs::remove_file(run.join("last.safetensors")).unwrap();
    let other = made.folder.path().join("other.gguf");
    succeed(
        program("stride-convert")
            .arg("export")
            .arg(made.checkpoint())
            .arg("--output")
            .arg(&other)
            .args(["--type", "f16"]),
    );
    refuse(&mut tune(&other), 1, &["it was not made of", "delete it"]);
}

#[test]
fn every_quantization_plays() {
    let made = made();
    for kind in ["f16", "q8_0", "q4_0"] {
        let path = made.folder.path().join(format!("policy-{kind}.gguf"));
        succeed(
            program("stride-convert")
                .arg("export")
                .arg(made.checkpoint())
                .arg("-o")
                .arg(&path)
                .args(["--type", kind]),
        );
        let table = succeed(
            program("stride-eval")
                .arg("run")
                .arg("--policy")
                .arg(&path)
                .args([
                    "--world",
                    "household:100",
                    "--max-actions",
                    "3",
                    "--threads",
                    "1",
                    "--constrain",
                ]),
        );
        assert!(table.contains("constrained"), "{kind}\n{table}");
    }
}

#[test]
fn jobs_do_not_change_the_result() {
    let made = made();
    let episodes = |jobs: &str| {
        let out = made.folder.path().join(format!("jobs-{jobs}.json"));
        succeed(
            program("stride-eval")
                .arg("run")
                .arg("--policy")
                .arg(made.gguf())
                .args(["--world", "household:200..204", "--max-actions", "5"])
                .args(["--threads", "1", "--jobs", jobs, "--json"])
                .arg(&out),
        );
        let report: Value = serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap();
        let episodes = report["episodes"].as_array().unwrap().clone();
        // The cost in time and what the cache held are the engine's own business; the rest repeats.
        let fields = [
            "game",
            "end",
            "steps",
            "subtasks",
            "invalid",
            "malformed",
            "calls",
        ];
        episodes
            .iter()
            .map(|episode| fields.map(|field| episode[field].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(episodes("1"), episodes("2"));
}

/// The engine writes out a marker that the model says where text belongs, the trainer leaves it out.
fn without_markers(text: &str) -> String {
    let drop = |text: String, marker: Marker| text.replace(marker.token(), "");
    let text = Marker::ALL.into_iter().fold(text.to_owned(), drop);
    text.strip_prefix(' ').unwrap_or(&text).to_owned()
}

#[test]
fn llama_cpp_says_what_candle_says() {
    let made = made();
    says_the_same(&made.checkpoint(), &made.gguf(), &made.transitions);
}

/// Both sides answer frames with the same tokens.
pub fn says_the_same(checkpoint: &Path, gguf: &Path, transitions: &[Transition]) {
    let mut candle = CandlePolicy::load(checkpoint)
        .unwrap()
        .with_longest_utterance(CAP as usize);
    let mut llama = engine(gguf);
    for transition in transitions.iter().take(50) {
        let frame = transition.state.as_frame();
        let (theirs, ours) = (candle.utter(&frame).unwrap(), llama.utter(&frame).unwrap());
        assert_eq!(theirs.text, without_markers(&ours.text), "{frame}");
        assert_eq!(
            theirs.cost.prompt_tokens, ours.cost.prompt_tokens,
            "{frame}"
        );
        assert_eq!(
            theirs.cost.generated_tokens, ours.cost.generated_tokens,
            "{frame}"
        );
    }
}

#[test]
fn llama_cpp_reads_what_the_tokenizer_wrote() {
    let made = made();
    reads_the_same(&made.checkpoint(), &made.gguf(), &made.transitions);
}

/// Both sides cut texts into the same tokens.
pub fn reads_the_same(checkpoint: &Path, gguf: &Path, transitions: &[Transition]) {
    let llama = engine(gguf);
    let mut tokenizer = Tokenizer::from_file(checkpoint.join("tokenizer.json")).unwrap();
    tokenizer.set_encode_special_tokens(true);
    let frames = transitions.iter().map(|t| t.state.as_frame().to_string());
    let mut texts: Vec<String> = frames.collect();
    texts.extend(transitions.iter().map(|t| format!(" {}", t.utterance)));
    let corpus = std::fs::read_to_string(root().join("runtime/engine/tests/corpus.txt")).unwrap();
    texts.extend(corpus.lines().map(str::to_owned));
    texts.push(corpus);
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let encoded = tokenizer.encode(text.as_str(), false).unwrap();
        let expected: Vec<i32> = encoded
            .get_ids()
            .iter()
            .map(|&id| i32::try_from(id).unwrap())
            .collect();
        assert_eq!(llama.text_tokens(text), expected, "{text:?}");
    }
}
