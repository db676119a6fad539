//! `stride-eval soak`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stride_evaluate::bench::soak::{self, Plan};
use stride_evaluate::output::write_json;

use super::recording::{Recording, RecordingFlags};
use super::{WORLDS, progress, signal};

/// Run one agent for very many steps and watch its memory
///
/// The policy plays the games once; then the same episodes are gone through over and over, in a process that holds the agent and
/// the policy and nothing else. The exit code is 1 when the memory that is not backed by files grew by more than
/// --most-growth from the first hundredth of the steps to the last step.
///
/// Ctrl-C prints what was seen so far, marked PARTIAL, and exits with 1.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{WORLDS}"))]
pub struct Soak {
    #[command(flatten)]
    recording: RecordingFlags,

    /// Steps to play
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..))]
    steps: u64,

    /// Most steps of an episode
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    max_actions: u32,

    /// Bytes of growth that are still good
    #[arg(long, value_name = "BYTES", default_value_t = 1_000_000)]
    most_growth: i64,

    /// Write what was seen as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval soak --policy p.gguf --world household:0..50
  nice -n 19 stride-eval soak --policy p.gguf --world household:0..50 --steps 1000000 --json soak.json";

impl Soak {
    pub fn execute(self) -> Result<bool> {
        let stop = signal::stop_on_interrupt("step")?;
        let world = self.recording.world.to_string();
        let recording = self.recording.record(self.max_actions, &stop)?;
        let policy = recording.options.path.display().to_string();
        let Recording {
            scripts,
            mut worker,
            ..
        } = recording;
        let plan = Plan {
            policy,
            world,
            scripts: &scripts,
            steps: self.steps,
        };
        let bar = progress::bar(usize::try_from(self.steps).unwrap_or(usize::MAX), "steps");
        let soaked = soak::soak(&mut worker, &plan, &stop, || bar.inc(1));
        bar.finish_and_clear();
        let soaked = soaked?;
        print!("{soaked}");
        if let Some(path) = &self.json {
            write_json(path, &soaked)?;
        }
        let grew = soaked.growth.is_some_and(|bytes| bytes > self.most_growth);
        Ok(!soaked.partial && !grew)
    }
}
