//! `stride-train`: trains a vocabulary and a policy from transition files, and exports checkpoints.

mod bench_command;
mod collect_command;
mod console;
mod data_command;
mod demos_command;
mod held_out_args;
mod rl_command;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use console::Console;
use stride_agent::transition::Transition;
use stride_train::average;
use stride_train::backbone;
use stride_train::bc::begin;
use stride_train::bc::config::BcConfig;
use stride_train::bc::run::{self, PlayGames, RunHooks, RunOptions};
use stride_train::data;
use stride_train::demonstrate;
use stride_train::recall;
use stride_train::report;
use stride_train::scienceworld;
use stride_train::settings::Settings as _;
use stride_train::tokenizer;
use stride_train::tokens::FrameTokenizer;

/// Trains the policies of Stride from augmented step-level transitions.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let the expert play training games and write every call as a transition of its level.
    ///
    /// Each game is played once as the expert plays it and --noisy times with errors on purpose; every frame is labelled
    /// by the expert. Only training games are touched.
    Demos(Box<demos_command::DemosArgs>),
    /// Let a policy play training games and write what it did as transitions.
    ///
    /// It is played by stride-eval, that is by llama.cpp, on all cores. A stopped job goes on where it was when the same
    /// command is given again.
    Collect(Box<collect_command::CollectArgs>),
    /// Ask the expert what it would have said in recorded states (DAgger).
    Relabel(collect_command::RelabelArgs),
    /// Look into transition files.
    Data(data_command::DataArgs),
    /// Make recall exercises from the scenes and names of transition files.
    Recall(RecallArgs),
    /// Make drills from ScienceWorld demonstrations: decisions that these hold too few of.
    Drills(DrillsArgs),
    /// Train a byte-level BPE vocabulary on the texts of transition files.
    Tokenizer(TokenizerArgs),
    /// Behaviour cloning of the three levels.
    ///
    /// The run's folder gets `last.safetensors` (resumable state), `best.safetensors` (weights with the best held-out
    /// score, `run.best_by`), `tokenizer.json`, `config.toml`, `metrics.jsonl`, an event file for TensorBoard and `report.html`. Ctrl-C and
    /// SIGTERM save and stop.
    Bc(Box<BcArgs>),
    /// Step-level offline reinforcement learning from a checkpoint: critics, then advantage-weighted cloning.
    ///
    /// The run's folder gets what `bc` writes, and `features.bin` (hidden states of the checkpoint's policy), `critics.safetensors`,
    /// `critics.jsonl` (losses, values, advantages, weights) and `rl.toml`. Ctrl-C and SIGTERM save and stop; --resume goes on, but reads
    /// features that were not all read from the beginning.
    Rl(Box<rl_command::RlArgs>),
    /// Turn a run's weights into a checkpoint folder (config.json, tokenizer.json, model.safetensors, stride.json).
    Export(ExportArgs),
    /// Make one checkpoint of several: the mean of their weights.
    ///
    /// Of one training's checkpoints, which differ in what they learnt last, the mean is often better than each.
    Average(AverageArgs),
    /// Make `report.html` of a run's folder again.
    Report(ReportArgs),
    /// Measure tokens per second of training, alone or beside PyTorch.
    Bench(bench_command::BenchArgs),
}

/// What the exercises look like.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum RecallWorld {
    /// ALFWorld and the household world.
    Household,
    /// ScienceWorld.
    Scienceworld,
}

#[derive(Debug, Args)]
struct RecallArgs {
    /// Transition files (JSON Lines, plain or .zst).
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// The world whose frames they imitate; all files are of that world.
    #[arg(long, value_enum, default_value_t = RecallWorld::Household)]
    world: RecallWorld,
    /// Exercises to make.
    #[arg(long, default_value_t = 60_000)]
    count: usize,
    /// Leave out the games that training with this held-out share would hold out.
    #[arg(long, default_value_t = 0.02)]
    held_out: f64,
    /// Seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to write them (JSON Lines; compressed when the name ends in .zst).
    #[arg(short, long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct DrillsArgs {
    /// Transition files (JSON Lines, plain or .zst) of ScienceWorld demonstrations.
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Drills to make, within the few that share an observation.
    #[arg(long, default_value_t = 120_000)]
    count: usize,
    /// Leave out the games that training with this held-out share would hold out.
    #[arg(long, default_value_t = 0.02)]
    held_out: f64,
    /// Seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where to write them (JSON Lines; compressed when the name ends in .zst).
    #[arg(short, long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct TokenizerArgs {
    /// Transition files (JSON Lines, plain or .zst).
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// Where to write the vocabulary.
    #[arg(short, long, default_value = "tokenizer.json")]
    out: PathBuf,
    /// Tokens at most, markers included.
    #[arg(long, default_value_t = 1536)]
    vocab_size: usize,
    /// Leave out the games that training with this held-out share would hold out.
    #[arg(long, default_value_t = 0.02)]
    held_out: f64,
}

#[derive(Debug, Args)]
struct BcArgs {
    /// Settings (TOML); without it the defaults, or with --resume those of the run.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Transition files (JSON Lines, plain or .zst).
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// The run's folder.
    #[arg(long)]
    out: PathBuf,
    /// Go on from the folder's last checkpoint; a folder without one starts afresh.
    #[arg(long)]
    resume: bool,
    /// Use this vocabulary instead of training one.
    #[arg(long, conflicts_with = "init")]
    tokenizer: Option<PathBuf>,
    /// Start from the weights and vocabulary of this checkpoint folder; the network's sizes are the checkpoint's.
    #[arg(long)]
    init: Option<PathBuf>,
    /// Start from this pretrained network (Llama, Qwen2, Qwen2.5 or Qwen3): a Hugging Face folder, or a GGUF (stride-convert turns it into
    /// one).
    ///
    /// The markers join its vocabulary as special tokens. With a [lora] table in the settings only adapters and the markers' rows are
    /// trained.
    #[arg(long, value_name = "FOLDER|GGUF", conflicts_with_all = ["init", "tokenizer"])]
    backbone: Option<PathBuf>,
    /// Override run.steps.
    #[arg(long)]
    steps: Option<u64>,
    /// Override run.batch_tokens.
    #[arg(long)]
    batch_tokens: Option<usize>,
    /// Override optimizer.lr.
    #[arg(long)]
    lr: Option<f64>,
    /// Override run.seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Override run.threads (0: one per core).
    #[arg(long)]
    threads: Option<usize>,
    /// Override run.eval_every.
    #[arg(long)]
    eval_every: Option<u64>,
    /// Override run.save_every.
    #[arg(long)]
    save_every: Option<u64>,
    /// Override run.success_every: steps between games that are played while it learns.
    #[arg(long)]
    success_every: Option<u64>,
    #[command(flatten)]
    held_out: held_out_args::HeldOutArgs,
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// The run's folder.
    #[arg(long)]
    run: PathBuf,
    /// The checkpoint folder to write.
    #[arg(short, long)]
    out: PathBuf,
    /// Export the last weights instead of those with the best held-out score (`run.best_by`).
    #[arg(long)]
    last: bool,
    /// Write the adapters alone, in PEFT's form, for a run that trained some; their base is the folder `base` of the run.
    #[arg(long)]
    adapter: bool,
}

#[derive(Debug, Args)]
struct AverageArgs {
    /// Checkpoint folders of one network and vocabulary, as `export` writes them.
    #[arg(required = true, num_args = 2..)]
    checkpoints: Vec<PathBuf>,
    /// How much each counts, for example 1,3; all alike when left out.
    #[arg(long, value_delimiter = ',')]
    shares: Vec<f64>,
    /// The checkpoint folder to write.
    #[arg(short, long)]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// The run's folder.
    run: PathBuf,
}

fn main() -> anyhow::Result<ExitCode> {
    // The trainer's own threads fill the cores, one piece of a batch each; candle's pool of spinning threads would
    // only take time from them.
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("CANDLE_NUM_THREADS", "1") };
    match Cli::parse().command {
        Command::Demos(args) => demos_command::run(*args),
        Command::Collect(args) => collect_command::collect(*args),
        Command::Relabel(args) => collect_command::relabel(args),
        Command::Data(args) => data_command::run(&args),
        Command::Recall(args) => make_exercises(&args),
        Command::Drills(args) => make_drills(&args),
        Command::Tokenizer(args) => train_tokenizer(&args),
        Command::Bc(args) => behaviour_cloning(*args),
        Command::Rl(args) => rl_command::run(*args),
        Command::Export(args) => export(&args),
        Command::Average(args) => {
            average::average(&args.checkpoints, &args.shares, &args.out)?;
            println!("{}", args.out.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Report(args) => make_report(&args),
        Command::Bench(args) => bench_command::run(&args),
    }
}

fn make_drills(args: &DrillsArgs) -> anyhow::Result<ExitCode> {
    let known = read_training(&args.data, args.held_out)?;
    let made = scienceworld::drills::drills(&known, args.count, args.seed)?;
    demonstrate::write(&made, &args.out)?;
    println!("{} drills in {}", made.len(), args.out.display());
    Ok(ExitCode::SUCCESS)
}

/// The transitions of files, without those of held-out games.
fn read_training(paths: &[PathBuf], held_out: f64) -> anyhow::Result<Vec<Transition>> {
    let mut transitions = Vec::new();
    for path in paths {
        transitions.extend(data::read_for_cloning(path)?.1);
    }
    transitions.retain(|transition| !data::is_held_out(&transition.game, held_out));
    Ok(transitions)
}

fn make_exercises(args: &RecallArgs) -> anyhow::Result<ExitCode> {
    let transitions = read_training(&args.data, args.held_out)?;
    let made = match args.world {
        RecallWorld::Household => recall::exercises(&transitions, args.count, args.seed)?,
        RecallWorld::Scienceworld => {
            scienceworld::recall::exercises(&transitions, args.count, args.seed)?
        }
    };
    demonstrate::write(&made, &args.out)?;
    println!("{} exercises in {}", made.len(), args.out.display());
    Ok(ExitCode::SUCCESS)
}

fn train_tokenizer(args: &TokenizerArgs) -> anyhow::Result<ExitCode> {
    let transitions = read_training(&args.data, args.held_out)?;
    let trained = FrameTokenizer::new(tokenizer::train(&transitions, args.vocab_size)?)?;
    std::fs::write(&args.out, trained.to_json()?)
        .with_context(|| format!("writing {}", args.out.display()))?;
    println!(
        "{} tokens from {} transitions in {}",
        trained.vocab_size(),
        transitions.len(),
        args.out.display()
    );
    Ok(ExitCode::SUCCESS)
}

fn behaviour_cloning(args: BcArgs) -> anyhow::Result<ExitCode> {
    let held_out = args.held_out.clone();
    let options = run_options(args)?;
    let mut play = held_out.player(&options.config.data, &options.config.run)?;
    let stop = stop_on_signal()?;
    let mut console = Console::new();
    let ending = run::run(
        &options,
        &mut RunHooks {
            stop: &stop,
            report: &mut |event| console.show(event),
            play: play.as_mut().map(|play| &mut **play as &mut PlayGames<'_>),
        },
    )?;
    console.finish(ending, &options.out);
    Ok(ExitCode::SUCCESS)
}

/// A flag that Ctrl-C and SIGTERM set.
pub(crate) fn stop_on_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // The first signal saves and stops; a second one does not wait.
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("installing the signal handler")?;
    Ok(stop)
}

/// Settings from the run to resume, a file or the defaults, with the command line's overrides.
fn run_options(args: BcArgs) -> anyhow::Result<RunOptions> {
    let stored = args.out.join(run::CONFIG);
    let mut config = BcConfig::chosen(args.config.as_deref(), args.resume, &stored)?;
    if let Some(folder) = &args.init {
        config.model = begin::checkpoint_shape(folder)?;
    }
    let backbone = match &args.backbone {
        Some(given) => {
            let folder = backbone::convert::folder(given, &args.out.join(backbone::convert::NAME))?;
            config.model = backbone::shape(&folder, config.model.max_positions)?;
            Some(folder)
        }
        None => None,
    };
    let settings = &mut config.run;
    settings.steps = args.steps.unwrap_or(settings.steps);
    settings.batch_tokens = args.batch_tokens.unwrap_or(settings.batch_tokens);
    settings.seed = args.seed.unwrap_or(settings.seed);
    settings.threads = args.threads.unwrap_or(settings.threads);
    settings.eval_every = args.eval_every.unwrap_or(settings.eval_every);
    settings.save_every = args.save_every.unwrap_or(settings.save_every);
    settings.success_every = args.success_every.unwrap_or(settings.success_every);
    config.optimizer.lr = args.lr.unwrap_or(config.optimizer.lr);
    Ok(RunOptions {
        config,
        data: args.data,
        out: args.out,
        resume: args.resume,
        tokenizer: args.tokenizer,
        init: args.init,
        backbone,
        rl: None,
    })
}

fn export(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let export = if args.adapter {
        begin::export_adapter
    } else {
        begin::export
    };
    let record = export(&args.run, args.last, &args.out)?;
    println!(
        "step {} in {} (held-out score {})",
        record.step,
        args.out.display(),
        record
            .best
            .map_or_else(|| "unknown".into(), |score| format!("{score:.4}"))
    );
    Ok(ExitCode::SUCCESS)
}

fn make_report(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    report::run::write_again(&args.run)?;
    println!("{}", args.run.join(report::run::REPORT).display());
    Ok(ExitCode::SUCCESS)
}
