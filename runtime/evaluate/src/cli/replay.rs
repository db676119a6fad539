//! `stride-eval replay`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use stride_evaluate::output::write_json;
use stride_evaluate::replay::{replay_alfworld, replay_scienceworld};
use stride_evaluate::world::{self, WorldSpec};

use super::flags::PortionFlags;
use super::{WORLDS, progress, signal};

/// Replay transcripts of the official ALFWorld engine or ScienceWorld package and compare every text
///
/// Compared are first texts, answers, `won`, `done` and scores; for ALFWorld the command lists too, for ScienceWorld the
/// task, the room and the inventory after each step. A ScienceWorld text that lists the same things in another order is
/// counted apart: the official package does not fix that order either.
/// The first mismatches are printed as diffs (- the transcript, + this engine). The last line is
/// `replayed N steps in G games: M mismatches`; the exit code is 1 on any mismatch.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{WORLDS}"))]
pub struct Replay {
    /// The games: alfworld:PATH or scienceworld
    #[arg(long, value_name = "WORLD")]
    world: WorldSpec,

    /// The transcripts: JSON Lines, plain or packed with zstd
    #[arg(long, value_name = "FILE")]
    transcripts: PathBuf,

    #[command(flatten)]
    portion: PortionFlags,

    /// Write the counts and the first mismatches as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval replay --world alfworld:games.tar.zst --transcripts transcripts.jsonl.zst
  stride-eval replay --world scienceworld --transcripts expert-train.jsonl.zst --games 100 --every 14";

impl Replay {
    pub fn execute(self) -> Result<bool> {
        let stop = signal::stop_on_interrupt("transcript")?;
        let counter = progress::counter("transcripts");
        let played = |count: usize| counter.set_position(count as u64);
        let found = match &self.world {
            WorldSpec::Alfworld { path, part } => {
                if self.portion.is_set() {
                    bail!("--games and --every choose among ScienceWorld's transcripts only");
                }
                let games = world::open_collection(path.as_deref(), part)?;
                replay_alfworld(&games, &self.transcripts, &stop, played)
            }
            WorldSpec::ScienceWorld { .. } => {
                replay_scienceworld(&self.transcripts, self.portion.portion(), &stop, played)
            }
            WorldSpec::Household { .. } => bail!(
                "{} has no transcripts; replay wants alfworld:PATH or scienceworld",
                self.world
            ),
        };
        counter.finish_and_clear();
        let found = found?;
        print!("{found}");
        if let Some(path) = &self.json {
            write_json(path, &found)?;
        }
        Ok(found.holds())
    }
}
