//! `stride-eval bench`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use stride_evaluate::bench::child::Worker;
use stride_evaluate::bench::energy::{Counters, POWERCAP};
use stride_evaluate::bench::measure::{self, Lane};
use stride_evaluate::bench::page::Page;
use stride_evaluate::bench::report::{Report, Settings};
use stride_evaluate::bench::script::Script;
use stride_evaluate::bench::wire::{Cache, Kind};
use stride_evaluate::machine;
use stride_evaluate::output::{write_json, write_text};

use super::command_line::command_line;
use super::recording::{Actor, Recording, RecordingFlags};
use super::{WORLDS, progress, signal};

/// Measure what a step costs, by its number in the episode, beside a baseline in the same run
///
/// First the policy plays the games once; its actions and the observations are kept. Then every agent goes through the same
/// episodes, one step each in turn and each in a process of its own: latency is that of agent and policy without the world,
/// memory is that of its process. An agent says what it would do, and does what was recorded; differences are counted.
///
/// Baselines. naive: the same agent, whose KV cache is emptied before every call, plain greedy. history: an agent on the same
/// weights whose prompt holds the task and everything seen and done so far; it is only appended to, so llama.cpp's prefix cache
/// always hits whole; it decodes one action a step, as long as the step-level agent's. Its context is as long as the
/// longest episode needs.
///
/// Ctrl-C finishes the current episode, prints the table marked PARTIAL, and exits with 1.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{WORLDS}"))]
pub struct Bench {
    #[command(flatten)]
    recording: RecordingFlags,

    /// Most steps of an episode
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    steps: u32,

    /// Measure every episode this many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,

    /// Measure another agent beside the step-level one
    #[arg(long, value_enum)]
    baseline: Option<Baseline>,

    /// How the baseline's KV cache is stored, and which attention reads it
    #[arg(long, value_name = "CACHE", value_enum, default_value_t = Cache::F16, requires = "baseline")]
    baseline_cache: Cache,

    /// Write the figures and every step as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,

    /// Write the figures as one page for a browser, with curves
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Who is measured beside the step-level agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Baseline {
    /// The same agent; every call is prefilled whole
    Naive,
    /// An agent that reads its whole history, with a prefix cache
    History,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval bench --policy p.gguf --world household:0..20 --baseline naive
  stride-eval bench --policy p.gguf --world scienceworld:dev --steps 50 --whole --games 10 --baseline history --html bench.html
  stride-eval bench --policy p.gguf --world household:0..5 --steps 500 --actions patrol --whole";

impl Bench {
    pub fn execute(self) -> Result<bool> {
        let stop = signal::stop_on_interrupt("episode")?;
        let (world, actions) = (self.recording.world.to_string(), self.recording.actions);
        let recording = self.recording.record(self.steps, &stop)?;
        let policy = recording.options.describe()?;
        let energy = Counters::find(Path::new(POWERCAP));
        let kind = match self.baseline {
            None => None,
            Some(Baseline::Naive) => Some(Kind::Naive {
                cache: self.baseline_cache,
            }),
            Some(Baseline::History) => Some(Kind::History {
                context_tokens: history_tokens(&recording)?,
                cache: self.baseline_cache,
            }),
        };
        let baseline = kind
            .map(|kind| Worker::start(&recording.program, &recording.setup(kind)))
            .transpose()?;
        let settings = Settings {
            world,
            games: recording.scripts.len(),
            steps: self.steps,
            repeat: self.repeat,
            actions: match actions {
                Actor::Policy => "the policy",
                Actor::Random => "chance",
                Actor::Patrol => "a patrol",
            },
            threads: recording.options.threads.get(),
            constrained: recording.options.constrain,
            processor: machine::processor(),
            cores: machine::cores(),
            no_energy: energy.as_ref().err().cloned(),
            command: command_line(),
        };
        let Recording {
            scripts, worker, ..
        } = recording;
        let mut lanes: Vec<Lane> = [Some(worker), baseline]
            .into_iter()
            .flatten()
            .map(Lane::new)
            .collect();
        let bar = progress::bar(scripts.len() * self.repeat as usize, "episodes");
        let energy = energy.ok();
        let (repeat, counters) = (self.repeat, energy.as_ref());
        let whole = measure::run(&mut lanes, &scripts, repeat, counters, &stop, || bar.inc(1));
        bar.finish_and_clear();
        let whole = whole?;
        let Some(report) = Report::new(policy, settings, &lanes, energy.is_some(), !whole) else {
            bail!("stopped before the first episode was measured");
        };
        print!("{report}");
        if let Some(path) = &self.json {
            write_json(path, &report)?;
        }
        if let Some(path) = &self.html {
            write_text(path, &Page(&report))?;
        }
        Ok(whole)
    }
}

/// The context that the longest episode needs as a history, in whole pages of llama.cpp's cache.
fn history_tokens(recording: &Recording) -> Result<u32> {
    const PAGE: usize = 256;
    let policy = recording.options.load()?;
    let mut longest = 0;
    for script in &recording.scripts {
        longest = longest.max(history_of(script, |text| policy.text_tokens(text).len()));
    }
    drop(policy);
    Ok(u32::try_from(longest.next_multiple_of(PAGE)).unwrap_or(u32::MAX))
}

/// Tokens of an episode as a history: each text has a space and a marker before it, each action an end marker behind it.
fn history_of(script: &Script, mut tokens: impl FnMut(&str) -> usize) -> usize {
    let mut text = |text: &str| tokens(&format!(" {text}")) + 2;
    let start = 1 + text(&script.task) + text(&script.scene) + text(&script.observation);
    script.steps.iter().fold(start, |sum, step| {
        sum + text(&step.action) + text("; False") + text(&step.observation)
    })
}
