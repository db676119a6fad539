//! `stride-eval replay`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use stride_evaluate::output::write_json;
use stride_evaluate::replay;
use stride_evaluate::world::{self, WorldSpec};

use super::{WORLDS, progress, signal};

/// Replay transcripts of the official ALFWorld engine and compare every text
///
/// Compared are first texts, answers, command lists, `won`, `done` and scores.
/// The first mismatches are printed as diffs (- the transcript, + this engine). The last line is
/// `replayed N steps in G games: M mismatches`; the exit code is 1 on any mismatch.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{WORLDS}"))]
pub struct Replay {
    /// The games: alfworld:PATH
    #[arg(long, value_name = "WORLD")]
    world: WorldSpec,

    /// The transcripts: JSON Lines, plain or packed with zstd
    #[arg(long, value_name = "FILE")]
    transcripts: PathBuf,

    /// Write the counts and the first mismatches as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Example:
  stride-eval replay --world alfworld:games.tar.zst --transcripts transcripts.jsonl.zst";

impl Replay {
    pub fn execute(self) -> Result<bool> {
        let WorldSpec::Alfworld { path, part } = &self.world else {
            bail!(
                "{} has no transcripts; replay wants alfworld:PATH",
                self.world
            );
        };
        let games = world::open_collection(path.as_deref(), part)?;
        let stop = signal::stop_on_interrupt("transcript")?;
        let counter = progress::counter("transcripts");
        let found = replay::replay(&games, &self.transcripts, &stop, |count| {
            counter.set_position(count as u64);
        });
        counter.finish_and_clear();
        let found = found?;
        print!("{found}");
        if let Some(path) = &self.json {
            write_json(path, &found)?;
        }
        Ok(found.holds())
    }
}
