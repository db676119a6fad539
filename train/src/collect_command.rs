//! `stride-train collect` and `stride-train relabel`: arguments, progress bar and counts.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use stride_environments::alfworld::{Collection, Split};
use stride_train::collect::player::Player;
use stride_train::collect::world::TrainingWorld;
use stride_train::collect::{self, CollectOptions};
use stride_train::demonstrate::{self, Games};
use stride_train::parallel;
use stride_train::relabel::{self, Labeller};

/// Arguments of `stride-train collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// The policy: a GGUF file written by stride-convert.
    #[arg(long)]
    policy: PathBuf,
    /// Training games: scienceworld:train, alfworld:PATH:train or household:FROM..TO (seeds from 1000000).
    #[arg(long)]
    world: String,
    /// Play only the first N games.
    #[arg(long)]
    games: Option<usize>,
    /// Play each game so often; an episode that repeats an earlier one word for word is left out.
    #[arg(long, default_value_t = 1)]
    rounds: u64,
    /// Sample at this temperature: one number, or high=T,low=T,progress=T.
    #[arg(long, default_value = "0.7")]
    temperature: String,
    /// Decode actions along templates filled with the names that stand in the frame.
    #[arg(long)]
    constrain: bool,
    /// Seed of the first round.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Actions of an episode at most.
    #[arg(long, default_value_t = 50)]
    max_actions: u32,
    /// Episodes played side by side; 0 takes one per core.
    #[arg(long, default_value_t = 0)]
    jobs: usize,
    /// The stride-eval program [default: $STRIDE_EVAL, else the one beside this program, else the one in the search path]
    #[arg(long)]
    evaluator: Option<PathBuf>,
    /// Also write what the expert would have said in every visited state (DAgger), for cloning.
    #[arg(long, value_name = "FILE")]
    relabel: Option<PathBuf>,
    #[command(flatten)]
    labels: LabelArgs,
    /// Where to write what was played (JSON Lines; compressed when the name ends in .zst).
    #[arg(short, long)]
    out: PathBuf,
}

/// Arguments of `stride-train relabel`.
#[derive(Debug, Args)]
pub struct RelabelArgs {
    /// Transition files: of collect, or a device's transition log (JSON Lines, plain or .zst).
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    #[command(flatten)]
    labels: LabelArgs,
    /// Where to write the labelled transitions (JSON Lines; compressed when the name ends in .zst).
    #[arg(short, long)]
    out: PathBuf,
}

/// How frames are labelled.
#[derive(Debug, Args)]
struct LabelArgs {
    /// ALFWorld games (folder, archive, or empty for $ALFWORLD_DATA) from which the expert of ALFWorld and the household world learns
    /// where things are found. Without it their frames are not labelled.
    #[arg(long)]
    alfworld: Option<PathBuf>,
    /// Edited copies of every ScienceWorld transition (names, rooms and temperatures exchanged), labelled as well.
    #[arg(long, default_value_t = 1)]
    variants: u32,
    /// Seed of the copies.
    #[arg(long, default_value_t = 0)]
    label_seed: u64,
}

impl LabelArgs {
    fn labeller(&self) -> anyhow::Result<Labeller> {
        let household = match &self.alfworld {
            None => None,
            Some(path) => {
                let collection = if path.as_os_str().is_empty() {
                    Collection::from_variable()?
                } else {
                    Collection::open_split(path, Split::Train)
                        .with_context(|| format!("opening the games in {}", path.display()))?
                };
                let ids = collection.split(Split::Train).cloned().collect();
                Some(demonstrate::learn_expert(
                    &Games::Alfworld(collection, ids),
                    0,
                )?)
            }
        };
        Ok(Labeller {
            household,
            variants: self.variants,
            seed: self.label_seed,
        })
    }
}

/// Plays, and labels when that was asked for.
pub fn collect(args: CollectArgs) -> anyhow::Result<ExitCode> {
    let mut world = TrainingWorld::open(&args.world)?;
    if let Some(games) = args.games {
        world = world.first(games);
    }
    let options = CollectOptions {
        policy: args.policy,
        rounds: args.rounds,
        temperature: args.temperature,
        constrain: args.constrain,
        seed: args.seed,
        max_actions: args.max_actions,
        jobs: parallel::threads(args.jobs),
        out: args.out,
    };
    let stop = crate::stop_on_signal()?;
    let bar = crate::console::progress_bar("collect", 0);
    let player = Player::find(args.evaluator);
    let report = collect::run(&world, &player, &options, &stop, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    println!(
        "{} episodes of {}: {} won, {} failed, {} truncated; {} repeated and left out, {} broken; {} transitions",
        report.episodes,
        args.world,
        report.won,
        report.failed,
        report.truncated,
        report.repeated,
        report.broken(),
        report.transitions
    );
    if report.stopped {
        eprintln!("stopped; the same command goes on from here");
        return Ok(ExitCode::from(130));
    }
    let mut summary = options.out.as_os_str().to_owned();
    summary.push(".json");
    let text = serde_json::to_vec_pretty(&report)?;
    stride_train::files::write_atomically(&PathBuf::from(summary), &text)?;
    println!("{}", options.out.display());
    match args.relabel {
        Some(out) => label(&[options.out], &args.labels, out),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Labels what was played before.
pub fn relabel(args: RelabelArgs) -> anyhow::Result<ExitCode> {
    label(&args.data, &args.labels, args.out)
}

fn label(data: &[PathBuf], labels: &LabelArgs, out: PathBuf) -> anyhow::Result<ExitCode> {
    let report = relabel::relabel(data, &labels.labeller()?, &out)?;
    println!(
        "{} frames labelled: the expert says the same in {} ({:.1} %); left out: {} repeated, {} of no training game, {} that the \
         expert does not know",
        report.read - report.repeated - report.foreign - report.unknown,
        report.agreed,
        100.0 * report.agreed as f64
            / (report.read - report.repeated - report.foreign - report.unknown).max(1) as f64,
        report.repeated,
        report.foreign,
        report.unknown
    );
    println!("{} transitions in {}", report.written, out.display());
    Ok(ExitCode::SUCCESS)
}
