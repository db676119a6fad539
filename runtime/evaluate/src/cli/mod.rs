//! The command line: one file per subcommand, each makes objects of its flags and calls one function of the library.

mod bench;
mod bench_world;
mod command_line;
mod fit;
mod flags;
mod measure;
mod play;
mod progress;
mod recording;
mod replay;
mod run;
mod signal;
mod soak;

use std::io;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use stride_evaluate::bench::worker;

/// Evaluates step-level policies offline: plays one game, measures many, and checks the worlds themselves.
#[derive(Debug, Parser)]
#[command(
    name = "stride-eval",
    version,
    after_long_help = WORLDS,
    arg_required_else_help = true
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Play(play::Play),
    Run(run::Run),
    Bench(Box<bench::Bench>),
    Soak(Box<soak::Soak>),
    Fit(fit::FitCommand),
    Measure(measure::Measure),
    Replay(replay::Replay),
    BenchWorld(bench_world::BenchWorld),
    /// One agent of a bench; answers requests on standard input
    #[command(hide = true)]
    BenchWorker,
}

impl Arguments {
    /// Does what was asked; the answer is whether the result is a good one (exit code 0) or not (1).
    pub fn execute(self) -> Result<bool> {
        match self.command {
            Command::Play(play) => play.execute(),
            Command::Run(run) => run.execute(),
            Command::Bench(bench) => bench.execute(),
            Command::Soak(soak) => soak.execute(),
            Command::Fit(fit) => fit.execute(),
            Command::Measure(measure) => measure.execute(),
            Command::Replay(replay) => replay.execute(),
            Command::BenchWorld(bench) => bench.execute(),
            Command::BenchWorker => {
                // Ctrl-C reaches the whole group; the parent decides, and this process ends when its input does.
                ctrlc::set_handler(|| {}).context("cannot listen for Ctrl-C")?;
                worker::serve(io::stdin().lock(), io::stdout().lock())?;
                Ok(true)
            }
        }
    }
}

/// How worlds are named, for the help texts.
pub const WORLDS: &str = "\
Worlds:
  household:SEED          one game of the bundled household world
  household:FROM..TO      its games FROM to TO-1
  alfworld:PATH           every game of an ALFWorld data set
  alfworld:PATH:SPLIT     one split of it: train, valid_seen or valid_unseen
  alfworld:PATH#GAME      one game: its path, or a part of its path that no other game has
  PATH is a folder, a .tar.zst of it (read in memory, nothing is unpacked), or empty for $ALFWORLD_DATA.
  scienceworld            every episode of the paper's 24 tasks: 1404 train, 195 dev, 211 test
  scienceworld:SPLIT      one split of it: train, dev or test
  scienceworld:SPLIT/TASK one task of the split, for example scienceworld:dev/boil
  scienceworld:TASK/N     one episode: variation N of any of the simulator's 30 tasks
  scienceworld-full:...   the same with every variation of all 30 tasks
  ScienceWorld's simulator needs Java: `make scienceworld` fetches both; SCIENCEWORLD_JAR and JAVA_HOME name other places.

Exit codes: 0 ok; 1 lost, mismatches, a broken or partial run, or an error; 2 wrong usage.";
