//! A network in the form of Qwen2 and of Qwen3 is trained on, converted and run, and computes the same on both sides. Its weights are random:
//! no Qwen is small enough to be committed. What transformers computes for such networks is compared in `train`.

use std::path::{Path, PathBuf};

use serde_json::json;
use stride_agent::transition::Transition;
use stride_train::backbone::Backbone;
use stride_train::bc::metrics::{self, METRICS, Metrics};
use stride_train::checkpoint::Checkpoint;
use stride_train::model::architecture::Architecture;
use stride_train::model::decoder::Decoder;
use stride_train::model::parameters::ParameterLayout;
use stride_train::model::shape::ModelShape;
use stride_train::tensors;
use tempfile::TempDir;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use crate::demonstrations;
use crate::pipeline::{engine, reads_the_same, says_the_same};
use crate::support::{folder, program, succeed};

/// How Qwen cuts texts into words.
const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const RUN: &str = "\
[run]
steps = 40
batch_tokens = 1024
micro_tokens = 512
threads = 1
log_every = 5
eval_every = 40
eval_samples = 9
save_every = 20
[data]
held_out = 0.25
[optimizer]
lr = 0.003
warmup_steps = 4
";

/// A network to begin with, and how it is trained.
struct Case {
    architecture: Architecture,
    head_dim: Option<usize>,
    tied: bool,
    /// Rows of the embedding behind the last token, which the markers take where they are enough.
    spare: usize,
    lora: bool,
}

/// What the programs made of it.
struct Made {
    folder: TempDir,
    transitions: Vec<Transition>,
}

impl Made {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A vocabulary in the pipeline of Qwen's.
fn vocabulary(transitions: &[Transition]) -> Tokenizer {
    let mut tokenizer = Tokenizer::new(BPE::default());
    let pattern = SplitPattern::Regex(WORDS.into());
    let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap();
    let byte_level = ByteLevel::new(false, false, false);
    let steps = Sequence::new(vec![split.into(), byte_level.into()]);
    tokenizer.with_normalizer(Some(NFC)).unwrap();
    tokenizer.with_pre_tokenizer(Some(steps));
    tokenizer.with_decoder(Some(byte_level));
    let special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    let special = special.map(|token| AddedToken::from(token, true));
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(500)
        .show_progress(false)
        .special_tokens(special.to_vec())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    let texts = transitions.iter().map(|t| t.state.as_frame().to_string());
    tokenizer.train(&mut trainer, texts).unwrap();
    // Qwen has tokens of more than one word that are not special.
    tokenizer
        .add_tokens([AddedToken::from("<tool_call>", false)])
        .unwrap();
    tokenizer
}

/// Writes the folder that a user would have from Hugging Face.
fn pretrained(to: &Path, case: &Case, transitions: &[Transition]) {
    std::fs::create_dir(to).unwrap();
    let tokenizer = vocabulary(transitions);
    tokenizer.save(to.join("tokenizer.json"), true).unwrap();
    let shape = ModelShape {
        architecture: case.architecture,
        head_dim: case.head_dim,
        hidden: 48,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        ffn: 96,
        rope_theta: 1e6,
        rms_norm_eps: 1e-6,
        max_positions: 2048,
        tie_embeddings: case.tied,
        init_std: 0.1,
    };
    let rows = tokenizer.get_vocab_size(true) + case.spare;
    let layout = ParameterLayout::new(&shape, rows);
    let mut weights = layout.initialize(5);
    for tensor in layout.tensors().iter().filter(|tensor| tensor.is_vector()) {
        for (i, weight) in weights[tensor.range.clone()].iter_mut().enumerate() {
            *weight += (i as f32 * 1.9 + tensor.range.start as f32).sin() * 0.3;
        }
    }
    tensors::write(&to.join(tensors::WHOLE), &layout, &weights).unwrap();
    let mut config = json!({
        "architectures": [case.architecture.class()], "model_type": case.architecture.model_type(),
        "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 48,
        "initializer_range": 0.02, "intermediate_size": 96, "max_position_embeddings": 2048, "max_window_layers": 2,
        "num_attention_heads": 4, "num_hidden_layers": 2, "num_key_value_heads": 2, "rms_norm_eps": 1e-6,
        "rope_theta": 1e6, "sliding_window": 2048, "tie_word_embeddings": case.tied, "torch_dtype": "float32",
        "use_cache": true, "use_sliding_window": false, "vocab_size": rows,
    });
    if let Some(dim) = case.head_dim {
        config["head_dim"] = json!(dim);
        config["attention_bias"] = json!(false);
    }
    std::fs::write(to.join("config.json"), config.to_string()).unwrap();
}

/// The way of a user: pretrained folder -> `bc` -> `export` -> `stride-convert export`.
fn made(case: &Case) -> Made {
    let folder = folder();
    let demos = demonstrations::make(folder.path());
    let made = Made {
        transitions: demonstrations::read(&demos),
        folder,
    };
    pretrained(&made.at("qwen"), case, &made.transitions);
    let lora = if case.lora {
        "[lora]\nr = 4\nalpha = 8\n"
    } else {
        ""
    };
    std::fs::write(made.at("run.toml"), format!("{RUN}{lora}")).unwrap();
    let train = |more: &[&str]| {
        let mut command = program("stride-train");
        command.arg("bc").args(more).arg("--data").arg(&demos);
        succeed(command.arg("--out").arg(made.at("run")));
    };
    let (config, qwen) = (made.at("run.toml"), made.at("qwen"));
    let (config, qwen) = (config.to_str().unwrap(), qwen.to_str().unwrap());
    train(&["--backbone", qwen, "--config", config, "--steps", "25"]);
    // Its sizes stand in the run's own settings from now on.
    train(&["--resume", "--steps", "40"]);
    let mut export = program("stride-train");
    export.args(["export", "--last", "--run"]);
    succeed(
        export
            .arg(made.at("run"))
            .arg("--out")
            .arg(made.at("checkpoint")),
    );
    convert(&made.at("checkpoint"), &made.at("policy.gguf"));
    made
}

fn convert(checkpoint: &Path, gguf: &Path) {
    let mut command = program("stride-convert");
    command
        .arg("export")
        .arg(checkpoint)
        .arg("--output")
        .arg(gguf);
    succeed(command.args(["--type", "f32"]));
}

fn the_loss_falls(made: &Made) {
    let lines = metrics::read(&made.at("run").join(METRICS)).unwrap();
    let loss = |line: &Metrics| match line {
        Metrics::Train { loss, .. } => Some(*loss),
        _ => None,
    };
    let losses: Vec<f64> = lines.iter().filter_map(loss).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < 0.9 * first, "the loss went from {first} to {last}");
}

/// Logits of both sides behind frames, and the tokens that they say.
fn both_sides_agree(made: &Made, case: &Case) {
    let (checkpoint, gguf) = (made.at("checkpoint"), made.at("policy.gguf"));
    let shown = succeed(program("stride-convert").arg("inspect").arg(&gguf));
    let name = case.architecture.model_type();
    assert!(shown.contains(&format!("{name}.block_count")), "{shown}");
    reads_the_same(&checkpoint, &gguf, &made.transitions);
    says_the_same(&checkpoint, &gguf, &made.transitions);
    let ours = Checkpoint::load(&checkpoint).unwrap();
    let mut decoder = Decoder::new(ours.network, ours.weights);
    let mut llama = engine(&gguf);
    for transition in made.transitions.iter().step_by(7).take(20) {
        let frame = transition.state.as_frame();
        let tokens = ours.tokenizer.frame(&frame).unwrap();
        let (ours, _) = decoder.prompt(&tokens).unwrap();
        let theirs = llama.logits(&frame).unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-3, "{a} against {b}: {frame}");
        }
    }
}

/// Norms and biases of a checkpoint, by name.
fn vectors(checkpoint: &Path) -> Vec<(String, Vec<f32>)> {
    let checkpoint = Checkpoint::load(checkpoint).unwrap();
    let tensors = checkpoint.network.layout().tensors().iter();
    let vectors = tensors.filter(|tensor| tensor.is_vector()).map(|tensor| {
        let values = checkpoint.weights[tensor.range.clone()].to_vec();
        (tensor.name.clone(), values)
    });
    vectors.collect()
}

fn check_whole(case: &Case) {
    let made = made(case);
    the_loss_falls(&made);
    both_sides_agree(&made, case);
    // The GGUF is a backbone in turn, and nothing is lost on the way back.
    let back = made.at("back");
    let mut command = program("stride-convert");
    succeed(
        command
            .arg("dequantize")
            .arg(made.at("policy.gguf"))
            .arg("-o")
            .arg(&back),
    );
    let (ours, theirs) = (
        Checkpoint::load(&made.at("checkpoint")).unwrap(),
        Backbone::load(&back, 2048).unwrap(),
    );
    assert_eq!(ours.network.layout(), &theirs.layout);
    assert_eq!(ours.weights, theirs.weights);
    assert_eq!(
        ours.tokenizer.text("go to shelf 27; True").unwrap(),
        theirs.tokenizer.text("go to shelf 27; True").unwrap()
    );
    let before = tensors::read(&made.at("qwen"), &layout_of(&made), &layout_of(&made)).unwrap();
    let after = &ours.weights;
    for tensor in layout_of(&made).tensors().iter().filter(|t| t.is_vector()) {
        let place = ours
            .network
            .layout()
            .tensors()
            .iter()
            .find(|t| t.name == tensor.name);
        let after = &after[place.unwrap().range.clone()];
        assert_ne!(
            &before[tensor.range.clone()],
            after,
            "{} was not trained",
            tensor.name
        );
    }
}

/// The layout of the network before it was trained.
fn layout_of(made: &Made) -> ParameterLayout {
    let config = stride_train::backbone::config::read(&made.at("qwen")).unwrap();
    ParameterLayout::new(&config.shape(2048), config.rows)
}

fn check_adapters(case: &Case) {
    let made = made(case);
    the_loss_falls(&made);
    both_sides_agree(&made, case);
    let frozen = vectors(&made.at("run/base"));
    assert_eq!(frozen, vectors(&made.at("checkpoint")));
    let mut export = program("stride-train");
    export.args(["export", "--adapter", "--last", "--run"]);
    succeed(
        export
            .arg(made.at("run"))
            .arg("--out")
            .arg(made.at("adapter")),
    );
    let mut merge = program("stride-convert");
    merge
        .arg("lora")
        .arg(made.at("adapter"))
        .arg("--base")
        .arg(made.at("run/base"));
    merge.args(["--merge", "--type", "f32", "-o"]);
    succeed(merge.arg(made.at("merged.gguf")));
    let mut diff = program("stride-convert");
    diff.arg("diff")
        .arg(made.at("policy.gguf"))
        .arg(made.at("merged.gguf"));
    let said = crate::support::run(&mut diff).stdout;
    let same = said.is_empty() || said.contains(" and 0 tensors differ");
    assert!(same, "{said}");
}

#[test]
fn a_whole_qwen2_is_trained_and_runs() {
    check_whole(&Case {
        architecture: Architecture::Qwen2,
        head_dim: None,
        tied: true,
        spare: 40,
        lora: false,
    });
}

#[test]
fn adapters_of_a_qwen2_are_trained_and_run() {
    check_adapters(&Case {
        architecture: Architecture::Qwen2,
        head_dim: None,
        tied: false,
        spare: 0,
        lora: true,
    });
}

#[test]
fn a_whole_qwen3_is_trained_and_runs() {
    check_whole(&Case {
        architecture: Architecture::Qwen3,
        head_dim: Some(16),
        tied: false,
        spare: 0,
        lora: false,
    });
}

#[test]
fn adapters_of_a_qwen3_are_trained_and_run() {
    check_adapters(&Case {
        architecture: Architecture::Qwen3,
        head_dim: Some(16),
        tied: true,
        spare: 40,
        lora: true,
    });
}
