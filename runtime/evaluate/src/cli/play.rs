//! `stride-eval play`.

use std::io::{self, BufWriter, IsTerminal as _};

use anyhow::{Result, bail};
use clap::Args;
use stride_evaluate::play::{self, Showing};
use stride_evaluate::style::Colour;
use stride_evaluate::world::{self, WorldSpec};

use super::WORLDS;
use super::flags::PolicyFlags;

/// Play one episode as a readable trace
///
/// Every subtask, action, observation and progress is printed with its tokens and milliseconds.
/// The last line is `won in N actions` or `lost: why`; the exit code is 0 when won, 1 when not.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{WORLDS}"))]
pub struct Play {
    /// The game: household:SEED, alfworld:PATH#GAME or scienceworld:TASK/VARIATION
    #[arg(long, value_name = "WORLD")]
    world: WorldSpec,

    #[command(flatten)]
    policy: PolicyFlags,

    /// Most actions of the episode
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    max_actions: u32,

    /// Seed of the sampling when --temperature is set
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
}

const EXAMPLES: &str = "\
Examples:
  stride-eval play --policy models/household.gguf --world household:7
  stride-eval play --policy p.gguf --world 'alfworld:games.tar.zst#valid_seen/look_at_obj_in_light-Bowl'";

impl Play {
    pub fn execute(self) -> Result<bool> {
        let games = world::open(&self.world)?;
        if games.len() != 1 {
            bail!(
                "{} holds {} games and play wants one: household:SEED, alfworld:PATH#GAME or scienceworld:TASK/VARIATION",
                self.world,
                games.len()
            );
        }
        let setup = self.policy.settle(self.seed, &self.world, &*games)?;
        let mut policy = setup.options.load()?;
        let stdout = io::stdout();
        let showing = Showing {
            limits: setup.limits,
            max_actions: self.max_actions,
            colour: Colour::auto(stdout.is_terminal()),
            graded: games.graded(),
        };
        let mut environment = games.open(0)?;
        let mut out = BufWriter::new(stdout.lock());
        Ok(play::play(
            &mut *environment,
            &mut policy,
            &showing,
            &mut out,
        )?)
    }
}
