//! `stride-eval bench-world`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use stride_evaluate::bench_world::{self, Peer, Plan, recorded};
use stride_evaluate::error::EvalError;
use stride_evaluate::output::write_json;
use stride_evaluate::replay::Portion;
use stride_evaluate::world::{self, WorldSpec};

use super::flags::SelectionFlags;
use super::{WORLDS, progress, signal};

/// Measure how long a world takes to load a game and to answer a step
///
/// ScienceWorld plays the recorded actions of --transcripts on its simulator, and with --peer the same actions through the
/// official Python package in the same run. What follows is for the other worlds.
///
/// Loading is reading, parsing and compiling a game up to its first text and command list. A step is the answer to a random
/// admissible command, and the new list of admissible commands. The peer's figures, 0.72 s and 44 ms, were measured with
/// TextWorld 1.7 and ALFWorld 0.4.2 on a 2-core x86-64 machine; give those of your machine by --peer-load-s and --peer-step-ms.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{WORLDS}"))]
pub struct BenchWorld {
    /// The games, for example alfworld:PATH:valid_seen
    #[arg(long, value_name = "WORLD")]
    world: WorldSpec,

    #[command(flatten)]
    selection: SelectionFlags,

    /// Random commands per game
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,

    /// Seconds that the other engine takes to load a game
    #[arg(long, value_name = "SECONDS", default_value_t = Peer::default().load_s)]
    peer_load_s: f64,

    /// Milliseconds that the other engine takes for a step with its admissible commands
    #[arg(long, value_name = "MS", default_value_t = Peer::default().step_ms)]
    peer_step_ms: f64,

    /// ScienceWorld: the recorded games whose actions are played, JSON Lines, plain or packed with zstd
    #[arg(long, value_name = "FILE")]
    transcripts: Option<PathBuf>,

    /// ScienceWorld: only each K-th of the recorded games
    #[arg(long, value_name = "K", requires = "transcripts")]
    every: Option<NonZeroUsize>,

    /// ScienceWorld: a Python that has the official package (pip install scienceworld==1.2.3), to compare with
    #[arg(long, value_name = "PYTHON", requires = "transcripts")]
    peer: Option<PathBuf>,

    /// Write the figures as JSON
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval bench-world --world alfworld:games.tar.zst:valid_seen
  stride-eval bench-world --world household:0..200 --steps 100
  stride-eval bench-world --world scienceworld --transcripts expert-train.jsonl.zst --games 20 --every 70 --peer python3";

impl BenchWorld {
    pub fn execute(self) -> Result<bool> {
        match (&self.world, &self.transcripts) {
            (WorldSpec::ScienceWorld { .. }, Some(transcripts)) => self.recorded(transcripts),
            (WorldSpec::ScienceWorld { .. }, None) => bail!(
                "{} is measured with recorded actions: name a file of them with --transcripts",
                self.world
            ),
            (_, Some(_)) => bail!("{} is not measured with --transcripts", self.world),
            (_, None) => self.random(),
        }
    }

    fn recorded(&self, transcripts: &Path) -> Result<bool> {
        let plan = recorded::Plan {
            transcripts: transcripts.to_owned(),
            portion: Portion {
                games: self.selection.first(),
                every: self.every.unwrap_or(NonZeroUsize::MIN),
            },
            peer: self.peer.clone(),
        };
        let stop = signal::stop_on_interrupt("game")?;
        let counter = progress::counter("games");
        let timings = recorded::bench(&plan, &stop, || counter.inc(1));
        counter.finish_and_clear();
        let timings = timings?;
        println!("world {}, {} recorded games", self.world, timings.games);
        print!("{timings}");
        if let Some(path) = &self.json {
            write_json(path, &timings)?;
        }
        Ok(!timings.partial)
    }

    fn random(&self) -> Result<bool> {
        let games = world::open(&self.world)?;
        let plan = Plan {
            games: self.selection.selection(0).of(games.len()),
            steps: self.steps,
            seed: self.selection.seed,
        };
        if plan.games.is_empty() {
            return Err(EvalError::NoGames {
                world: self.world.to_string(),
            }
            .into());
        }
        let peer = Peer {
            load_s: self.peer_load_s,
            step_ms: self.peer_step_ms,
        };
        let stop = signal::stop_on_interrupt("game")?;
        let bar = progress::bar(plan.games.len(), "games");
        let timings = bench_world::bench(&plan, &*games, peer, &stop, || bar.inc(1));
        bar.finish_and_clear();
        let timings = timings?;
        println!("world {}, {} games", self.world, timings.games);
        print!("{timings}");
        if let Some(path) = &self.json {
            write_json(path, &timings)?;
        }
        Ok(!timings.partial)
    }
}
