//! `stride-eval run`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use stride_agent::form::{Form, Formed};
use stride_agent::transition::Transition;
use stride_evaluate::episode::{Episode, Rules};
use stride_evaluate::error::EvalError;
use stride_evaluate::memory::{Memory, forget_peak};
use stride_evaluate::output::{write_json, write_text};
use stride_evaluate::record::RecordFile;
use stride_evaluate::run::html::Page;
use stride_evaluate::run::report::{Report, Settings};
use stride_evaluate::run::{self, Plan, Sink};
use stride_evaluate::world::{self, WorldSpec};

use super::command_line::command_line;
use super::flags::{PolicyFlags, SelectionFlags};
use super::{WORLDS, progress, signal};

/// Play many episodes and print success, cost and memory as a table
///
/// The table holds success by task type with 95 % Wilson intervals, calls by level, tokens and milliseconds per step, and
/// memory. A world that gives parts of its score (ScienceWorld) has the mean score first: over all episodes, and over the
/// tasks' means, with 95 % bootstrap intervals; success is then the full score.
///
/// A step is everything from one observation to the next: the low-level call, the high-level call before it when a subtask
/// begins, the world's answer and the progress call. Tokens per step are those of all frames and utterances of the step,
/// cached or not. Quantiles are nearest-rank. Episodes that broke (an error of the world or the engine) are listed and
/// left out of the success rate.
///
/// Ctrl-C finishes the current episodes, prints the table marked PARTIAL, and exits with 1.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{WORLDS}"))]
pub struct Run {
    /// The games, for example alfworld:PATH:valid_seen, scienceworld:dev or household:0..100
    #[arg(long, value_name = "WORLD")]
    world: WorldSpec,

    #[command(flatten)]
    policy: PolicyFlags,

    #[command(flatten)]
    selection: SelectionFlags,

    /// Leave out the first N games; --games then counts those behind them
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "sample")]
    skip: usize,

    /// Most actions of an episode
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    max_actions: u32,

    /// Episodes played at the same time, each by an engine of its own (and, for ScienceWorld, on a JVM of its own)
    ///
    /// With --temperature and more than one job, which engine draws for which game depends on timing, so a run does not
    /// repeat exactly.
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,

    /// Play the policy in the form that it was trained in: hierarchical, one-call, no-progress, flat or history
    ///
    /// The others are ablations and the baseline of the method: without progress; without subtasks; shown the whole episode
    /// instead of both. `stride-train data reform` makes the transitions that they are trained from.
    #[arg(long, value_name = "FORM", default_value_t = Form::Hierarchical, conflicts_with = "record")]
    form: Form,

    /// Write the table and every episode with the cost of each step as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,

    /// Write the report as one page for a browser, with curves and the last steps of lost games
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write the transitions of all episodes as JSON Lines (a name ending in .zst packs them)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval run --policy p.gguf --world alfworld:games.tar.zst:valid_seen --json valid_seen.json
  stride-eval run --policy p.gguf --world household:0..100 --constrain --jobs 2
  stride-eval run --policy p.gguf --world scienceworld:dev --json dev.json --html dev.html
  stride-eval run --policy p.gguf --world alfworld::train --sample 200 --seed 1 --record train.jsonl.zst";

impl Run {
    pub fn execute(self) -> Result<bool> {
        // First the games: reading an archive takes memory that the policy can use afterwards.
        let games = world::open(&self.world)?;
        let opening_peak = Memory::now().peak;
        forget_peak();
        let chosen = self.selection.selection(self.skip).of(games.len());
        if chosen.is_empty() {
            return Err(EvalError::NoGames {
                world: self.world.to_string(),
            }
            .into());
        }
        let seed = self.selection.seed;
        let setup = self.policy.settle(seed, &self.world, &*games)?;
        let options = setup.options;
        let policy_file = options.describe()?;
        let stop = signal::stop_on_interrupt("episodes")?;
        let settings = Settings {
            world: self.world.to_string(),
            games: chosen.len(),
            max_actions: self.max_actions,
            form: self.form,
            constrained: options.constrain,
            temperature: options.temperature,
            seed,
            threads: options.threads.get(),
            jobs: self.jobs.get(),
            graded: games.graded(),
            prompt_budget: setup.prompt_budget,
            kernels: stride_engine::kernels().map_err(EvalError::policy)?,
            command: command_line(),
        };
        let plan = Plan {
            games: chosen,
            rules: Rules {
                limits: self.form.limits(setup.limits),
                max_actions: self.max_actions,
                record: self.record.is_some(),
            },
            jobs: self.jobs,
        };
        let mut watcher = Watcher {
            bar: progress::bar(plan.games.len(), "games"),
            won: 0,
            played: 0,
            record: self.record.as_deref().map(RecordFile::create).transpose()?,
        };
        let load = || options.load().map(|policy| Formed::new(self.form, policy));
        let episodes = run::run(&plan, &*games, load, &stop, &mut watcher);
        watcher.bar.finish_and_clear();
        // What was recorded is kept even when the run failed.
        let recorded = watcher.record.map_or(Ok(()), RecordFile::finish);
        let report = Report::new(policy_file, settings, opening_peak, episodes?);
        print!("{report}");
        recorded?;
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        if let Some(path) = &self.html {
            write_text(path, &Page(&report))?;
        }
        Ok(report.is_whole())
    }
}

/// Shows progress and records.
struct Watcher {
    bar: ProgressBar,
    won: usize,
    played: usize,
    record: Option<RecordFile>,
}

impl Sink for Watcher {
    fn episode(&mut self, episode: &Episode, transitions: &[Transition]) -> Result<(), EvalError> {
        self.won += usize::from(episode.won());
        self.played += 1;
        self.bar.inc(1);
        let percent = 100.0 * self.won as f64 / self.played as f64;
        self.bar
            .set_message(format!("won {} ({percent:.0} %)", self.won));
        match &mut self.record {
            Some(record) => record.append(transitions),
            None => Ok(()),
        }
    }
}
