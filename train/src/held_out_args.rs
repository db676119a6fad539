//! Options: games that the policy plays while it learns.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use stride_agent::policy::Policy;
use stride_environments::alfworld::{Collection, Split};
use stride_environments::scienceworld::Settings;
use stride_train::bc::config::{BestBy, DataConfig, RunConfig};
use stride_train::bc::metrics::SuccessReport;
use stride_train::scienceworld::held_out::HeldOutVariations;
use stride_train::success::HeldOutGames;

/// Actions of a game that is played while training.
const MAX_ACTIONS: u32 = 50;

/// Plays games with the policy as it is.
pub type Player = Box<dyn FnMut(&mut dyn Policy) -> SuccessReport>;

/// Games to play.
#[derive(Debug, Clone, Args)]
pub struct HeldOutArgs {
    /// ALFWorld games (folder or archive); the policy plays held-out *training* games while it learns.
    #[arg(long)]
    play_alfworld: Option<PathBuf>,
    /// The policy plays held-out *training* variations of ScienceWorld while it learns (`make scienceworld` fetches it).
    #[arg(long, conflicts_with = "play_alfworld")]
    play_scienceworld: bool,
    /// How many held-out games are played.
    #[arg(long, default_value_t = 40)]
    play_games: usize,
}

impl HeldOutArgs {
    /// What plays the games, if any are asked for.
    pub fn player(&self, data: &DataConfig, run: &RunConfig) -> anyhow::Result<Option<Player>> {
        let (share, count) = (data.held_out, self.play_games);
        let (player, games): (Option<Player>, usize) = if let Some(path) = &self.play_alfworld {
            let games = Collection::open_split(path, Split::Train)
                .with_context(|| format!("opening the games in {}", path.display()))?;
            let games = HeldOutGames::new(&games, share, count, MAX_ACTIONS);
            let len = games.len();
            (Some(Box::new(move |policy| games.play(policy))), len)
        } else if self.play_scienceworld {
            let mut games = HeldOutVariations::new(Settings::find()?, share, count, MAX_ACTIONS);
            let len = games.len();
            (Some(Box::new(move |policy| games.play(policy))), len)
        } else {
            (None, 0)
        };
        ensure!(
            player.is_none() || games > 0,
            "no training game is held out: raise data.held_out (now {share})"
        );
        ensure!(
            run.best_by == BestBy::Exact || (player.is_some() && run.success_every > 0),
            "run.best_by = \"success\" needs games to play: --play-alfworld or --play-scienceworld, and run.success_every > 0"
        );
        Ok(player)
    }
}
