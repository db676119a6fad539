//! `stride-train bench`: arguments and table.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use stride_train::bc::config::BcConfig;
use stride_train::bench::peer::{Comparison, PeerModel, compare};
use stride_train::bench::steps::{BenchOptions, Measurement, measure};
use stride_train::settings::Settings as _;

const EXAMPLES: &str = "Examples:
  stride-train bench
  stride-train bench --peer python3 --rounds 5        # with torch installed there: pip install torch
  stride-train bench --config models/stage2.toml --vocab-size 832";

/// Arguments of `stride-train bench`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// Take the network and run.micro_tokens from these settings instead of the 17-million-weight network.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Tokens of the vocabulary.
    #[arg(long, default_value_t = 8000)]
    vocab_size: usize,
    /// Sequences of a step.
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Input tokens of a sequence.
    #[arg(long, default_value_t = 256)]
    length: usize,
    /// Steps that are timed.
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// Steps before them.
    #[arg(long, default_value_t = 2)]
    warmup: usize,
    /// Threads of both sides; 0 takes one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Compare with PyTorch in this Python, in turn, each side in a process of its own.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// How the peer's network is made.
    #[arg(long, value_enum, default_value_t = Peer::Plain, requires = "peer")]
    peer_model: Peer,
    /// Rounds of the comparison.
    #[arg(long, default_value_t = 3, requires = "peer")]
    rounds: usize,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// How the peer's network is made.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Peer {
    /// A module written for speed.
    Plain,
    /// The class of transformers (pip install transformers), of a Qwen the only peer.
    Transformers,
}

impl BenchArgs {
    fn options(&self) -> anyhow::Result<BenchOptions> {
        let mut options = BenchOptions::seventeen_million();
        if let Some(path) = &self.config {
            let config = BcConfig::from_file(path)?;
            config.validate()?;
            options.model = config.model;
            options.micro_tokens = config.run.micro_tokens;
        }
        anyhow::ensure!(
            [self.vocab_size, self.batch, self.length, self.steps]
                .iter()
                .all(|value| *value > 0),
            "--vocab-size, --batch, --length and --steps must be positive"
        );
        options.model.max_positions = options.model.max_positions.max(self.length);
        options.vocab_size = self.vocab_size;
        options.batch = self.batch;
        options.length = self.length;
        options.steps = self.steps;
        options.warmup = self.warmup;
        options.threads = self.threads;
        Ok(options)
    }

    /// The command that measures our side alone.
    fn ours(&self, program: &PathBuf) -> Command {
        let mut command = Command::new(program);
        command.args(["bench", "--json"]);
        if let Some(path) = &self.config {
            command.arg("--config").arg(path);
        }
        for (name, value) in [
            ("--vocab-size", self.vocab_size),
            ("--batch", self.batch),
            ("--length", self.length),
            ("--steps", self.steps),
            ("--warmup", self.warmup),
            ("--threads", self.threads),
        ] {
            command.args([name, &value.to_string()]);
        }
        command
    }
}

/// Runs the command.
///
/// # Errors
/// When the settings are refused or a side fails.
pub fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let Some(python) = &args.peer else {
        let found = measure(&options)?;
        if args.json {
            println!("{}", serde_json::to_string(&found)?);
        } else {
            heading(&options, &found);
            show("ours", &found);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let program = std::env::current_exe().context("finding this program")?;
    let model = match args.peer_model {
        Peer::Plain => PeerModel::Plain,
        Peer::Transformers => PeerModel::Transformers,
    };
    let mut first = true;
    let comparison = compare(
        &options,
        python,
        model,
        args.rounds,
        &mut || args.ours(&program),
        |round| {
            if args.json {
                return;
            }
            if std::mem::take(&mut first) {
                heading(&options, &round.ours);
            }
            show("ours", &round.ours);
            show(&format!("torch, {}", model.name()), &round.peer);
        },
    )?;
    if args.json {
        println!("{}", serde_json::to_string(&comparison)?);
    } else {
        summary(&comparison);
    }
    Ok(ExitCode::SUCCESS)
}

fn heading(options: &BenchOptions, found: &Measurement) {
    println!(
        "{} weights, {} sequences of {} tokens a step, f32; median of {} steps",
        found.parameters, options.batch, options.length, options.steps
    );
    println!(
        "{:<22} {:>9} {:>9} {:>11} {:>11}",
        "", "tokens/s", "ms/step", "peak MiB", "last loss"
    );
}

fn show(name: &str, found: &Measurement) {
    let tokens: f64 = found.tokens_per_second;
    let per_step = found.seconds.iter().sum::<f64>() / found.seconds.len().max(1) as f64;
    let peak = found
        .peak_bytes
        .map_or_else(|| "-".into(), |bytes| (bytes >> 20).to_string());
    let loss = found.losses.last().copied().unwrap_or(f64::NAN);
    println!(
        "{name:<22} {tokens:>9.0} {:>9.0} {peak:>11} {loss:>11.5}",
        1000.0 * per_step
    );
}

fn summary(comparison: &Comparison) {
    println!(
        "median of {} rounds: {:.2} times the tokens per second, {:.2} of the peak memory; losses differ by {:.1e} at most",
        comparison.rounds.len(),
        comparison.speed_ratio(),
        comparison.memory_ratio(),
        comparison.loss_difference()
    );
}
