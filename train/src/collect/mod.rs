//! Collection: a policy plays training games, and what it did becomes transitions (method section 6).
//!
//! The policy is the one that ships: a GGUF file, played by `stride-eval run` in a process of its own. So what is learnt from is what
//! llama.cpp does, this crate needs no C++ compiler, and an engine that crashes costs a part of the job and not the job. Games are
//! played in parts; a stopped job goes on behind the finished ones.
//!
//! | module | holds |
//! |---|---|
//! | [`world`] | which games may be played: those of training splits |
//! | [`player`] | the program that plays, and how it is called |

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stride_agent::transition::{EndKind, Transition};

use crate::data;
use crate::demonstrate::parts::Parts;
use crate::error::Result;

pub mod player;
pub mod world;

use player::{Job, Player};
use world::TrainingWorld;

/// Games of one part.
const PART: usize = 128;

/// What is played, and how.
#[derive(Debug, Clone)]
pub struct CollectOptions {
    /// The policy's GGUF file.
    pub policy: PathBuf,
    /// How often each game is played, with another seed each time.
    pub rounds: u64,
    /// Sampling temperature as `stride-eval` reads it: one number, or `high=…,low=…,progress=…`.
    pub temperature: String,
    /// Whether actions are decoded along templates.
    pub constrain: bool,
    /// Seed of the first round.
    pub seed: u64,
    /// Actions of an episode at most.
    pub max_actions: u32,
    /// Episodes played side by side.
    pub jobs: usize,
    /// The file to write, compressed with zstd when it ends in `.zst`.
    pub out: PathBuf,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectReport {
    /// Episodes that were asked for.
    pub asked: u64,
    /// Episodes that were kept.
    pub episodes: u64,
    /// Of these, won ones.
    pub won: u64,
    /// Ended by the world without success.
    pub failed: u64,
    /// Ended by the limit of actions.
    pub truncated: u64,
    /// Episodes left out because the same game was played word for word the same before.
    pub repeated: u64,
    /// Transitions written.
    pub transitions: u64,
    /// Stopped by a signal: the same command goes on from here.
    pub stopped: bool,
}

impl CollectReport {
    /// Episodes that broke: an error of the world or of the engine.
    #[must_use]
    pub fn broken(&self) -> u64 {
        self.asked - self.episodes - self.repeated
    }

    fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.episodes += other.episodes;
        self.won += other.won;
        self.failed += other.failed;
        self.truncated += other.truncated;
        self.repeated += other.repeated;
        self.transitions += other.transitions;
    }

    fn count(&mut self, episode: &[Transition]) {
        self.episodes += 1;
        self.transitions += episode.len() as u64;
        match episode.first().map(|first| first.end) {
            Some(EndKind::Success) => self.won += 1,
            Some(EndKind::Failure) => self.failed += 1,
            Some(EndKind::Truncated) | None => self.truncated += 1,
        }
    }
}

/// Plays the games and writes what happened; `progress` hears how many episodes of how many are done.
///
/// # Errors
/// When the policy cannot be read, the player fails, or the file cannot be written.
pub fn run(
    world: &TrainingWorld,
    player: &Player,
    options: &CollectOptions,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<CollectReport> {
    let CollectOptions {
        policy,
        rounds,
        temperature,
        constrain,
        seed,
        max_actions,
        // Neither changes what is played.
        jobs: _,
        out,
    } = options;
    let weights = data::sha256(policy)?;
    let settings = format!(
        "{world} {} games, {rounds} rounds\n{weights}, temperature {temperature}, constrained {constrain}, seed {seed}, at most \
         {max_actions} actions",
        world.games
    );
    let parts = Parts::open(out, &settings)?;
    let all = world.games as u64 * rounds;
    let count = world.games.div_ceil(PART);
    let mut report = CollectReport::default();
    for part in 0..count {
        if let Some(finished) = parts.finished::<CollectReport>(part) {
            report.add(&finished);
        } else if stop.load(Ordering::Relaxed) {
            report.stopped = true;
            return Ok(report);
        } else {
            let first = part * PART;
            let games = PART.min(world.games - first);
            let job = Job {
                world,
                options,
                record: parts.scratch(),
                first,
                games,
            };
            let Some(played) = play_part(player, &job, stop)? else {
                report.stopped = true;
                return Ok(report);
            };
            let mut counted = CollectReport {
                asked: games as u64 * rounds,
                ..CollectReport::default()
            };
            let kept = without_repeats(played, &mut counted);
            parts.write(part, kept.iter(), &counted)?;
            report.add(&counted);
        }
        progress(report.asked, all);
    }
    parts.join(count)?;
    Ok(report)
}

/// All rounds of some games; `None` when it was stopped meanwhile.
fn play_part(player: &Player, job: &Job<'_>, stop: &AtomicBool) -> Result<Option<Vec<Transition>>> {
    let mut played = Vec::new();
    for round in 0..job.options.rounds {
        match player.play(job, job.options.seed.wrapping_add(round), stop)? {
            Some(transitions) => played.extend(transitions),
            None => return Ok(None),
        }
    }
    Ok(Some(played))
}

/// The episodes in their order, each only once.
fn without_repeats(played: Vec<Transition>, report: &mut CollectReport) -> Vec<Transition> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::with_capacity(played.len());
    for episode in played.chunk_by(is_same_episode) {
        let mut hash = Sha256::new();
        for transition in episode {
            hash.update(transition.game.as_bytes());
            hash.update([0]);
            hash.update(transition.utterance.as_bytes());
            hash.update([0]);
        }
        if seen.insert(hash.finalize()) {
            report.count(episode);
            kept.extend_from_slice(episode);
        } else {
            report.repeated += 1;
        }
    }
    kept
}

/// Whether a transition goes on with the episode of the one before it: an episode's first call is the only one of subtask 0 after
/// one of a later step.
fn is_same_episode(before: &Transition, after: &Transition) -> bool {
    before.game == after.game
        && (after.subtask_index, after.step_index) >= (before.subtask_index, before.step_index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode(game: &str, said: &[&str]) -> Vec<Transition> {
        let steps = said.iter().zip(0..);
        let transitions = steps.map(|(said, step)| Transition {
            game: game.to_owned(),
            step_index: step,
            utterance: (*said).to_owned(),
            ..crate::testing::transition(0)
        });
        transitions.collect()
    }

    #[test]
    fn an_episode_is_kept_once() {
        let played = [
            episode("a", &["go", "look"]),
            episode("b", &["go", "look"]),
            episode("a", &["go", "look"]),
            episode("a", &["go", "wait"]),
        ]
        .concat();
        let mut report = CollectReport {
            asked: 5,
            ..CollectReport::default()
        };
        let kept = without_repeats(played, &mut report);
        assert_eq!(kept.len(), 6);
        assert_eq!(
            (report.episodes, report.repeated, report.broken()),
            (3, 1, 1)
        );
        assert_eq!(report.transitions, 6);
    }
}
