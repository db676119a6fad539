//! What `bench` and `soak` have in common: a policy, a world, and the episodes that are recorded first.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use stride_evaluate::bench::child::Worker;
use stride_evaluate::bench::script::{self, Actions, Script};
use stride_evaluate::bench::wire::{Kind, Setup};
use stride_evaluate::error::EvalError;
use stride_evaluate::policy::PolicyOptions;
use stride_evaluate::stop::Stop;
use stride_evaluate::world::{self, Games, WorldSpec};

use super::flags::{PolicyFlags, SelectionFlags};
use super::progress;

/// Who acts while the episodes are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Actor {
    /// The policy: real episodes, which end when they are won
    Policy,
    /// Chance: the policy is asked everything and pays for it, but a random admissible command is done in place of its action,
    /// so that an episode goes on for as long as you like (household and ALFWorld, which list their commands)
    Random,
    /// A watchman: in place of the policy's action, the agent goes from one place to the next, up to ten of them, and round again;
    /// what it sees repeats, so late steps differ from early ones in nothing but their number (household and ALFWorld)
    Patrol,
}

/// The flags.
#[derive(Debug, Args)]
pub struct RecordingFlags {
    #[command(flatten)]
    policy: PolicyFlags,

    /// The games, for example household:0..20, alfworld:PATH:valid_seen or scienceworld:dev
    #[arg(long, value_name = "WORLD")]
    pub world: WorldSpec,

    #[command(flatten)]
    selection: SelectionFlags,

    /// Who acts while the episodes are recorded
    #[arg(long, value_enum, default_value_t = Actor::Policy)]
    pub actions: Actor,

    /// Keep only episodes that last all steps, so that every step's figure is of the same episodes
    ///
    /// The games are then tried one after another until --games of them lasted.
    #[arg(long)]
    whole: bool,
}

/// The flags, carried out.
pub struct Recording {
    /// The program that workers run: this one.
    pub program: PathBuf,
    /// The policy.
    pub options: PolicyOptions,
    /// Sent when an utterance does not parse.
    pub fallback_action: String,
    /// The episodes.
    pub scripts: Vec<Script>,
    /// The worker that recorded them, warm.
    pub worker: Worker,
}

impl Recording {
    /// How another contender is set up.
    pub fn setup(&self, kind: Kind) -> Setup {
        Setup {
            kind,
            options: self.options.clone(),
            fallback_action: self.fallback_action.clone(),
        }
    }
}

impl RecordingFlags {
    /// The flags of a whole world, played by the policy.
    pub fn of(policy: PathBuf, world: WorldSpec, profile: Option<String>) -> Self {
        Self {
            policy: PolicyFlags::of(policy, profile),
            world,
            selection: SelectionFlags::default(),
            actions: Actor::Policy,
            whole: false,
        }
    }

    /// Records the episodes, of at most `steps` steps each.
    pub fn record(self, steps: u32, stop: &Stop) -> Result<Recording> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let games = world::open(&self.world)?;
        let chosen = self.selection.selection(0);
        let seed = self.selection.seed;
        let setup = self.policy.settle(seed, &self.world, &*games)?;
        if !setup.options.temperature.is_greedy() {
            bail!("steps are only comparable in greedy mode: leave --temperature out");
        }
        let (candidates, wanted) = if self.whole {
            let all: Vec<usize> = (0..games.len()).collect();
            (all, self.selection.first().unwrap_or(usize::MAX))
        } else {
            let chosen = chosen.of(games.len());
            let wanted = chosen.len();
            (chosen, wanted)
        };
        let worker = Worker::start(
            &program,
            &Setup {
                kind: Kind::Step,
                options: setup.options.clone(),
                fallback_action: setup.limits.fallback_action.clone(),
            },
        )?;
        let mut recording = Recording {
            program,
            options: setup.options,
            fallback_action: setup.limits.fallback_action,
            scripts: Vec::new(),
            worker,
        };
        let bar = progress::bar(wanted.min(candidates.len()), "episodes recorded");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for index in candidates {
            if recording.scripts.len() == wanted || stop.requested() {
                break;
            }
            let actions = match self.actions {
                Actor::Policy => Actions::Policy,
                Actor::Random => Actions::Random(&mut random),
                Actor::Patrol => Actions::Patrol(Vec::new()),
            };
            let script = one(&mut recording.worker, &*games, index, steps, actions)?;
            if !self.whole || script.steps.len() == steps as usize {
                recording.scripts.push(script);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        if recording
            .scripts
            .iter()
            .all(|script| script.steps.is_empty())
        {
            return Err(EvalError::NoGames {
                world: self.world.to_string(),
            }
            .into());
        }
        Ok(recording)
    }
}

fn one(
    worker: &mut Worker,
    games: &dyn Games,
    index: usize,
    steps: u32,
    actions: Actions<'_>,
) -> Result<Script> {
    let id = games.label(index).id;
    let mut game = games.open(index).map_err(|error| EvalError::Episode {
        message: error.to_string(),
    })?;
    Ok(script::record(worker, &id, &mut *game, steps, actions)?)
}
