//! The whole job of `stride-train demos`: every training game is played, on all cores, and the transitions are written.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use stride_agent::environment::{Environment, EnvironmentError};
use stride_agent::transition::Transition;
use stride_environments::alfworld::{AlfworldEnvironment, Collection, Game, GameId};
use stride_environments::household::{Household, HouseholdEnvironment};

use crate::demos::{self, DemoError};
use crate::error::{Result, TrainError};
use crate::expert::Expert;
use crate::expert::noise::{ErrorRates, NoisyExpert};
use crate::expert::search::Tally;
use crate::parallel;

pub(crate) mod parts;
mod report;

use parts::Parts;
pub use report::{DemoReport, Played, TypeCount};

/// Games of one part: bounds the memory, and what a stopped job loses.
const CHUNK: usize = 64;

/// Where the games come from.
#[derive(Debug)]
pub enum Games {
    /// ALFWorld games.
    Alfworld(Collection, Vec<GameId>),
    /// Seeds of the bundled household world.
    Household(Range<u64>),
}

/// How the games are played.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Episodes with errors beside the expert's own, for every game.
    pub noisy: u64,
    /// How often errors happen in them.
    pub rates: ErrorRates,
    /// Seed of the errors.
    pub seed: u64,
    /// Actions of an episode at most.
    pub max_actions: u32,
    /// Threads; 0 takes one per core.
    pub threads: usize,
    /// The file to write, compressed with zstd when it ends in `.zst`.
    pub out: PathBuf,
}

impl Games {
    /// Games to play.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Alfworld(_, ids) => ids.len(),
            Self::Household(seeds) => {
                usize::try_from(seeds.end.saturating_sub(seeds.start)).unwrap_or(0)
            }
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn load(&self, index: usize) -> std::result::Result<(String, String, Loaded), DemoError> {
        match self {
            Self::Alfworld(collection, ids) => {
                let id = &ids[index];
                let game = collection.load(id).map_err(|error| DemoError::Episode {
                    game: id.to_string(),
                    source: EnvironmentError::new(error).into(),
                })?;
                let task_type = id.task_type().map_or("unknown", |t| t.as_str());
                Ok((
                    id.to_string(),
                    task_type.to_owned(),
                    Loaded::Alfworld(Arc::new(game)),
                ))
            }
            Self::Household(seeds) => {
                let seed = seeds.start + index as u64;
                let household = Household::new(seed);
                Ok((
                    format!("household:{seed}"),
                    household.task_type().as_str().to_owned(),
                    Loaded::Household(seed),
                ))
            }
        }
    }

    /// The number that the errors of a game are drawn from.
    fn number(&self, index: usize) -> u64 {
        match self {
            Self::Alfworld(..) => index as u64,
            Self::Household(seeds) => seeds.start + index as u64,
        }
    }
}

enum Loaded {
    Alfworld(Arc<Game>),
    Household(u64),
}

impl Loaded {
    fn environment(&self) -> Box<dyn Environment> {
        match self {
            Self::Alfworld(game) => Box::new(AlfworldEnvironment::new(Arc::clone(game))),
            Self::Household(seed) => Box::new(HouseholdEnvironment::new(*seed)),
        }
    }

    fn walkthrough(&self) -> Vec<String> {
        match self {
            Self::Alfworld(game) => game.walkthrough().to_vec(),
            Self::Household(seed) => Household::new(*seed)
                .to_game_file()
                .walkthrough
                .unwrap_or_default(),
        }
    }
}

/// An expert that has learnt from these games in which order places are searched.
///
/// # Errors
/// When a game cannot be loaded.
pub fn learn_expert(games: &Games, threads: usize) -> Result<Expert> {
    let indices: Vec<usize> = (0..games.len()).collect();
    let learnt = parallel::map(parallel::threads(threads), &indices, |_, index| {
        let (game, _, loaded) = games.load(*index)?;
        let opening = loaded
            .environment()
            .reset()
            .map_err(|source| DemoError::Episode {
                game,
                source: source.into(),
            })?;
        Ok((
            opening.scene.parse().unwrap_or_default(),
            loaded.walkthrough(),
        ))
    });
    let mut tally = Tally::default();
    for learnt in learnt {
        let (scene, walkthrough) = learnt.map_err(TrainError::Demos)?;
        tally.add(&scene, &walkthrough);
    }
    Ok(Expert::new(tally.order()))
}

/// Plays all games and writes their transitions; `progress` hears how many games are done. A game whose expert record breaks
/// an invariant is left out and listed.
///
/// # Errors
/// When a game fails or the file cannot be written (nothing is left then).
pub fn run(
    games: &Games,
    expert: &Expert,
    options: &DemoOptions,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<DemoReport> {
    let play = |index: usize| play(games, index, expert, options);
    let settings = match games {
        Games::Alfworld(..) => "alfworld".to_owned(),
        Games::Household(seeds) => format!("household {seeds:?}"),
    };
    run_with(games.len(), &settings, &play, options, stop, progress)
}

/// As [`run`], for games of any world: `play` makes the demonstrations of one game. Finished parts of an earlier run with the
/// same `settings` and options are not played again.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    games: usize,
    settings: &str,
    play: &(dyn Fn(usize) -> std::result::Result<Played, DemoError> + Sync),
    options: &DemoOptions,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize),
) -> Result<DemoReport> {
    // Neither the threads nor the place of the output change what is played.
    let DemoOptions {
        noisy,
        rates,
        seed,
        max_actions,
        threads: _,
        out: _,
    } = options;
    let settings = format!(
        "{settings}\n{noisy} with errors, {rates:?}, seed {seed}, at most {max_actions} actions\n{games} games"
    );
    let parts = Parts::open(&options.out, &settings)?;
    let mut report = DemoReport::default();
    let indices: Vec<usize> = (0..games).collect();
    for (part, chunk) in indices.chunks(CHUNK).enumerate() {
        if let Some(finished) = parts.finished(part) {
            report.add(finished);
        } else if stop.load(Ordering::Relaxed) {
            report.stopped = true;
            return Ok(report);
        } else {
            let played = parallel::map(parallel::threads(options.threads), chunk, |_, index| {
                play(*index)
            });
            let played: Vec<Played> = played
                .into_iter()
                .collect::<std::result::Result<_, _>>()
                .map_err(TrainError::Demos)?;
            let mut counted = DemoReport::default();
            played.iter().for_each(|p| counted.count(p));
            let transitions = played.iter().flat_map(|p| &p.demos);
            parts.write(part, transitions.flat_map(|d| &d.transitions), &counted)?;
            report.add(counted);
        }
        progress(chunk.last().map_or(0, |last| last + 1));
    }
    parts.join(games.div_ceil(CHUNK))?;
    Ok(report)
}

/// Writes transitions as JSON Lines, beside and renamed.
///
/// # Errors
/// When the file cannot be written.
pub fn write(transitions: &[Transition], out: &Path) -> Result<()> {
    parts::write_lines(transitions.iter(), out)
}

fn play(
    games: &Games,
    index: usize,
    expert: &Expert,
    options: &DemoOptions,
) -> std::result::Result<Played, DemoError> {
    let (game, task_type, loaded) = games.load(index)?;
    let limit = options.max_actions;
    let mut demos = Vec::new();
    match demos::expert_episode(&game, &mut *loaded.environment(), expert, limit) {
        Ok(demo) => demos.push(demo),
        Err(why @ DemoError::Invariant { .. }) => {
            return Ok(Played {
                game,
                task_type,
                demos,
                left_out: Some(why.to_string()),
            });
        }
        Err(error) => return Err(error),
    }
    for copy in 0..options.noisy {
        let seed = options.seed.wrapping_add(games.number(index) * 1000 + copy);
        let rng = ChaCha8Rng::seed_from_u64(seed);
        demos.push(demos::relabelled_episode(
            &game,
            &mut *loaded.environment(),
            &mut NoisyExpert::new(expert, options.rates, rng),
            expert,
            limit,
        )?);
    }
    Ok(Played {
        game,
        task_type,
        demos,
        left_out: None,
    })
}
