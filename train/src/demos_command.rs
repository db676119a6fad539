//! `stride-train demos`: arguments, progress bar and table.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use stride_environments::alfworld::{Collection, Split};
use stride_environments::scienceworld::{self, EpisodeId, Task};
use stride_train::demonstrate::{self, DemoOptions, DemoReport, Games};
use stride_train::expert::noise::ErrorRates;
use stride_train::scienceworld::episodes::Episodes;

/// Arguments of `stride-train demos`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct DemosArgs {
    #[command(subcommand)]
    world: Option<World>,
    /// ALFWorld games: a folder, an archive (.tar.zst), or `$ALFWORLD_DATA` when the path is empty. The training split is played.
    #[arg(long, required_unless_present = "household")]
    alfworld: Option<PathBuf>,
    /// Seeds of the household world, FROM..TO. With --alfworld they are played after it, by the same expert.
    #[arg(long, value_parser = seeds)]
    household: Option<Range<u64>>,
    /// Play only the first N ALFWorld games, in the order of their ids.
    #[arg(long)]
    games: Option<usize>,
    /// Episodes with errors on purpose, beside the expert's own, for every game.
    #[arg(long, default_value_t = 2)]
    noisy: u64,
    /// The same for household games.
    #[arg(long, default_value_t = 1)]
    household_noisy: u64,
    #[command(flatten)]
    playing: Playing,
    /// Folder for `alfworld.jsonl.zst`, `household.jsonl.zst` and `demos.json`.
    #[arg(short, long, required = true)]
    out: Option<PathBuf>,
}

/// Errors on purpose in ScienceWorld, whose episodes are longer.
const SCIENCEWORLD_ERRORS: ErrorRates = ErrorRates {
    low: 0.1,
    progress: 0.03,
    high: 0.03,
};

/// How games of any world are played.
#[derive(Debug, Args)]
struct Playing {
    /// Chance of a wrong action or flag, per low-level call [default: 0.15, in ScienceWorld 0.1]
    #[arg(long)]
    low_errors: Option<f64>,
    /// Chance of a wrong progress, in ScienceWorld of one not rewritten, per progress call [default: 0.05, in ScienceWorld 0.03]
    #[arg(long)]
    progress_errors: Option<f64>,
    /// Chance of a repeated subtask, per high-level call [default: 0.02, in ScienceWorld 0.03]
    #[arg(long)]
    high_errors: Option<f64>,
    /// Seed of the errors.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Actions of an episode at most.
    #[arg(long, default_value_t = 50)]
    max_actions: u32,
    /// Threads, and simulators side by side; 0 takes one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
}

impl Playing {
    /// The options of a job that writes to `out`; `usual` are the error rates of its world.
    fn options(&self, noisy: u64, usual: ErrorRates, out: PathBuf) -> anyhow::Result<DemoOptions> {
        let rates = ErrorRates {
            low: self.low_errors.unwrap_or(usual.low),
            progress: self.progress_errors.unwrap_or(usual.progress),
            high: self.high_errors.unwrap_or(usual.high),
        };
        anyhow::ensure!(
            [rates.low, rates.progress, rates.high]
                .iter()
                .all(|rate| (0.0..=1.0).contains(rate)),
            "error rates are chances between 0 and 1"
        );
        Ok(DemoOptions {
            noisy,
            rates,
            seed: self.seed,
            max_actions: self.max_actions,
            threads: self.threads,
            out,
        })
    }
}

#[derive(Debug, Subcommand)]
enum World {
    /// The training variations of ScienceWorld's 24 tasks, played against the simulator (`make scienceworld` fetches it).
    ///
    /// A stopped job goes on where it was when the same command is given again.
    Scienceworld(ScienceWorldArgs),
}

#[derive(Debug, Args)]
struct ScienceWorldArgs {
    /// Play only these tasks, such as boil,melt.
    #[arg(long, value_delimiter = ',')]
    tasks: Vec<String>,
    /// Episodes with errors on purpose, beside the expert's own, for every variation.
    #[arg(long, default_value_t = 2)]
    noisy: u64,
    /// Episodes of each task at least: those of few variations get more episodes with errors.
    #[arg(long, default_value_t = 150)]
    balance: u64,
    /// Edited copies of every transition (names, rooms and temperatures exchanged), labelled by the expert.
    #[arg(long, default_value_t = 1)]
    variants: u32,
    #[command(flatten)]
    playing: Playing,
    /// Folder for `scienceworld.jsonl.zst` and `demos.json`.
    #[arg(short, long)]
    out: PathBuf,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text
        .split_once("..")
        .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    match parsed {
        Some(range) if range.start < range.end => Ok(range),
        _ => Err("expected FROM..TO with FROM below TO, such as 0..1000".into()),
    }
}

/// Runs the command.
///
/// # Errors
/// When games cannot be read or played, or files cannot be written.
pub fn run(args: DemosArgs) -> anyhow::Result<ExitCode> {
    match args.world {
        Some(World::Scienceworld(args)) => scienceworld(&args),
        None => household_worlds(&args),
    }
}

fn scienceworld(args: &ScienceWorldArgs) -> anyhow::Result<ExitCode> {
    let options = args.playing.options(
        args.noisy,
        SCIENCEWORLD_ERRORS,
        args.out.join("scienceworld.jsonl.zst"),
    )?;
    // Each of them: one mistyped name among others would only be missed in the table at the end.
    for name in &args.tasks {
        anyhow::ensure!(
            Task::of_protocol().any(|task| task.name() == name),
            "none of the 24 tasks is called {name}; they are {}",
            Task::of_protocol()
                .map(Task::name)
                .collect::<Vec<_>>()
                .join(", ")
        );
    }
    let ids: Vec<EpisodeId> = scienceworld::episodes(scienceworld::Split::Train)
        .into_iter()
        .filter(|id| args.tasks.is_empty() || args.tasks.iter().any(|t| t == id.task.name()))
        .collect();
    let settings = scienceworld::Settings::find()?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("creating {}", args.out.display()))?;
    let stop = crate::stop_on_signal()?;
    let episodes = Episodes::new(ids, settings, args.variants, args.balance);
    let bar = crate::console::progress_bar("scienceworld", episodes.len() as u64);
    let what = format!(
        "scienceworld {:?} {} variants, at least {} episodes a task",
        args.tasks, args.variants, args.balance
    );
    let play = |index: usize| episodes.play(index, &options);
    let report =
        demonstrate::run_with(episodes.len(), &what, &play, &options, &stop, &mut |done| {
            bar.set_position(done as u64);
        })?;
    bar.finish_and_clear();
    show("scienceworld", &report);
    finish(&args.out, vec![("scienceworld", report)])
}

/// Writes the reports and says how the program ends.
fn finish(folder: &Path, reports: Vec<(&str, DemoReport)>) -> anyhow::Result<ExitCode> {
    let summary = serde_json::to_vec_pretty(&reports)?;
    stride_train::files::write_atomically(&folder.join("demos.json"), &summary)?;
    if reports.iter().any(|(_, report)| report.stopped) {
        eprintln!("stopped; the same command goes on from here");
        return Ok(ExitCode::from(130));
    }
    println!("{}", folder.display());
    Ok(ExitCode::SUCCESS)
}

fn household_worlds(args: &DemosArgs) -> anyhow::Result<ExitCode> {
    let out = args.out.as_deref().context("--out names the folder")?;
    std::fs::create_dir_all(out).with_context(|| format!("creating {}", out.display()))?;
    let stop = crate::stop_on_signal()?;
    let mut jobs = Vec::new();
    if let Some(path) = &args.alfworld {
        let collection = if path.as_os_str().is_empty() {
            Collection::from_variable()?
        } else {
            Collection::open_split(path, Split::Train)
                .with_context(|| format!("opening the games in {}", path.display()))?
        };
        let mut ids: Vec<_> = collection.split(Split::Train).cloned().collect();
        ids.truncate(args.games.unwrap_or(usize::MAX));
        let games = Games::Alfworld(collection, ids);
        jobs.push(("alfworld", games, args.noisy));
    }
    if let Some(seeds) = args.household.clone() {
        jobs.push(("household", Games::Household(seeds), args.household_noisy));
    }
    anyhow::ensure!(
        jobs.iter().all(|(_, games, _)| !games.is_empty()),
        "there are no training games"
    );
    println!(
        "learning where things are found, from {} games",
        jobs[0].1.len()
    );
    let expert = demonstrate::learn_expert(&jobs[0].1, args.playing.threads)?;
    let mut reports = Vec::new();
    for (world, games, noisy) in &jobs {
        let file = out.join(format!("{world}.jsonl.zst"));
        let options = args.playing.options(*noisy, ErrorRates::default(), file)?;
        let bar = crate::console::progress_bar(world, games.len() as u64);
        let report = demonstrate::run(games, &expert, &options, &stop, &mut |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        show(world, &report);
        reports.push((*world, report));
    }
    finish(out, reports)
}

fn show(world: &str, report: &DemoReport) {
    println!(
        "{world:<36} {:>6} {:>6} {:>8} {:>8}",
        "games", "won", "%", "actions"
    );
    let rows = report
        .types
        .iter()
        .map(|(name, count)| (name.as_str(), *count));
    for (name, count) in rows.chain([("all", report.total())]) {
        println!(
            "{name:<36} {:>6} {:>6} {:>8.2} {:>8.2}",
            count.games,
            count.won,
            100.0 * f64::from(count.won) / f64::from(count.games.max(1)),
            f64::from(count.actions) / f64::from(count.won.max(1)),
        );
    }
    println!(
        "{} of {} episodes with errors were won; {} transitions",
        report.noisy_won, report.noisy_episodes, report.transitions
    );
    for game in report.lost.iter().take(5) {
        println!("lost: {game}");
    }
    for why in report.left_out.iter().take(5) {
        println!("left out: {why}");
    }
}
