//! Demonstrations against the simulator: which episodes, and how one becomes transitions.

use std::sync::{Mutex, PoisonError};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use stride_agent::transition::Transition;
use stride_environments::scienceworld::{EpisodeId, ScienceWorldEnvironment, Session, Settings};

use super::Expert;
use super::noise::NoisyExpert;
use super::variants;
use crate::demonstrate::{DemoOptions, Played};
use crate::demos::{self, Demo, DemoError};

/// Episodes to play, and the JVMs that play them.
#[derive(Debug)]
pub struct Episodes {
    ids: Vec<EpisodeId>,
    settings: Settings,
    /// Edited copies of each transition, see [`variants`].
    variants: u32,
    /// Episodes of each task at least: tasks of few variations get more episodes with errors.
    balance: u64,
    idle: Mutex<Vec<Session>>,
}

impl Episodes {
    /// These episodes; every thread that plays gets a JVM of its own, which plays one episode after the other.
    #[must_use]
    pub fn new(ids: Vec<EpisodeId>, settings: Settings, variants: u32, balance: u64) -> Self {
        Self {
            ids,
            settings,
            variants,
            balance,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Episodes to play.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The demonstrations of one episode: the expert's own, then those with errors, then the edited copies of both.
    ///
    /// # Errors
    /// When the simulator fails twice on the episode, or a frame cannot be labelled.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub fn play(&self, index: usize, options: &DemoOptions) -> Result<Played, DemoError> {
        let id = self.ids[index];
        // A JVM that died costs a second attempt, not the whole job.
        // When it fails again, the first error is nearer to the cause.
        self.attempt(id, index, options)
            .or_else(|first| self.attempt(id, index, options).map_err(|_| first))
    }

    fn attempt(
        &self,
        id: EpisodeId,
        index: usize,
        options: &DemoOptions,
    ) -> Result<Played, DemoError> {
        let game = game_name(id);
        let session = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
            .unwrap_or_else(|| Session::new(self.settings.clone()));
        let mut world = ScienceWorldEnvironment::new(session, id);
        let played = self.demonstrate(&game, &mut world, index, options);
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(world.into_session());
        let (demos, left_out) = match played {
            Ok(demos) => (demos, None),
            Err(why @ DemoError::Invariant { .. }) => (Vec::new(), Some(why.to_string())),
            Err(error) => return Err(error),
        };
        Ok(Played {
            game,
            task_type: id.task.name().to_owned(),
            demos,
            left_out,
        })
    }

    fn demonstrate(
        &self,
        game: &str,
        world: &mut ScienceWorldEnvironment,
        index: usize,
        options: &DemoOptions,
    ) -> Result<Vec<Demo>, DemoError> {
        let limit = options.max_actions;
        let task = self.ids[index].task;
        let siblings = self.ids.iter().filter(|id| id.task == task).count() as u64;
        let noisy = self.balance.div_ceil(siblings.max(1)).saturating_sub(1);
        let mut demos = vec![demos::expert_episode(game, world, &Expert, limit)?];
        for copy in 0..options.noisy.max(noisy) {
            // As in the household worlds: a thousand seeds for each game.
            let seed = options.seed.wrapping_add(index as u64 * 1000 + copy);
            let rng = ChaCha8Rng::seed_from_u64(seed);
            let mut noisy = NoisyExpert::new(options.rates, rng);
            demos.push(demos::relabelled_episode(
                game, world, &mut noisy, &Expert, limit,
            )?);
        }
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed.wrapping_add(index as u64));
        for demo in &mut demos {
            let varied: Vec<Transition> = (0..self.variants)
                .flat_map(|_| variants::vary(&demo.transitions, &mut rng))
                .collect();
            demo.transitions.extend(varied);
        }
        Ok(demos)
    }
}

/// The name of an episode in transition files.
#[must_use]
pub fn game_name(id: EpisodeId) -> String {
    format!("scienceworld:{id}")
}
