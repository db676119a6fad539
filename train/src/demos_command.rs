//! `stride-train demos`: arguments, progress bar and table.

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use stride_environments::alfworld::{Collection, Split};
use stride_train::demonstrate::{self, DemoOptions, DemoReport, Games};
use stride_train::expert::noise::ErrorRates;

/// Arguments of `stride-train demos`.
#[derive(Debug, Args)]
pub struct DemosArgs {
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
    /// Chance of a wrong action or flag, per low-level call.
    #[arg(long, default_value_t = ErrorRates::default().low)]
    low_errors: f64,
    /// Chance of a wrong progress, per progress call.
    #[arg(long, default_value_t = ErrorRates::default().progress)]
    progress_errors: f64,
    /// Chance of a repeated subtask, per high-level call.
    #[arg(long, default_value_t = ErrorRates::default().high)]
    high_errors: f64,
    /// Seed of the errors.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Actions of an episode at most.
    #[arg(long, default_value_t = 50)]
    max_actions: u32,
    /// Threads; 0 takes one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Folder for `alfworld.jsonl.zst`, `household.jsonl.zst` and `demos.json`.
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
    anyhow::ensure!(
        [args.low_errors, args.progress_errors, args.high_errors]
            .iter()
            .all(|rate| (0.0..=1.0).contains(rate)),
        "error rates are chances between 0 and 1"
    );
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("creating {}", args.out.display()))?;
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
    let expert = demonstrate::learn_expert(&jobs[0].1, args.threads)?;
    let mut reports = Vec::new();
    for (world, games, noisy) in &jobs {
        let options = DemoOptions {
            noisy: *noisy,
            rates: ErrorRates {
                low: args.low_errors,
                progress: args.progress_errors,
                high: args.high_errors,
            },
            seed: args.seed,
            max_actions: args.max_actions,
            threads: args.threads,
            out: args.out.join(format!("{world}.jsonl.zst")),
        };
        let bar = ProgressBar::new(games.len() as u64).with_message(*world);
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {pos}/{len} [{elapsed}<{eta}] {wide_bar}")
        {
            bar.set_style(style);
        }
        let report = demonstrate::run(games, &expert, &options, &stop, &mut |done| {
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        show(world, &report);
        println!("{}", options.out.display());
        reports.push((*world, report));
    }
    let summary = serde_json::to_vec_pretty(&reports)?;
    let path = args.out.join("demos.json");
    stride_train::files::write_atomically(&path, &summary)?;
    let stopped = reports.iter().any(|(_, report)| report.stopped);
    Ok(if stopped {
        ExitCode::from(130)
    } else {
        ExitCode::SUCCESS
    })
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
