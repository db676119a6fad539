//! What came of a job: which games the expert played and won.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stride_agent::transition::EndKind;

use crate::demos::Demo;

/// Games of one task type.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct TypeCount {
    /// Games played by the expert.
    pub games: u32,
    /// Games it won.
    pub won: u32,
    /// Actions of the won ones.
    pub actions: u32,
}

/// What came of the job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DemoReport {
    /// The expert's own episodes, by task type.
    pub types: BTreeMap<String, TypeCount>,
    /// Episodes with errors.
    pub noisy_episodes: u32,
    /// Of these, won ones.
    pub noisy_won: u32,
    /// Transitions written.
    pub transitions: u64,
    /// Games that the expert did not win.
    pub lost: Vec<String>,
    /// Games that are left out whole, and why: the expert's record does not add up (a subtask was closed by its cap).
    pub left_out: Vec<String>,
    /// Stopped by a signal: the parts so far are kept, and the same command goes on behind them.
    pub stopped: bool,
}

impl DemoReport {
    /// All task types together.
    #[must_use]
    pub fn total(&self) -> TypeCount {
        self.types
            .values()
            .fold(TypeCount::default(), |sum, t| TypeCount {
                games: sum.games + t.games,
                won: sum.won + t.won,
                actions: sum.actions + t.actions,
            })
    }

    /// Adds the report on other games.
    pub(super) fn add(&mut self, other: Self) {
        for (name, count) in other.types {
            let entry = self.types.entry(name).or_default();
            entry.games += count.games;
            entry.won += count.won;
            entry.actions += count.actions;
        }
        self.noisy_episodes += other.noisy_episodes;
        self.noisy_won += other.noisy_won;
        self.transitions += other.transitions;
        self.lost.extend(other.lost);
        self.left_out.extend(other.left_out);
    }

    /// Counts the demonstrations of one more game.
    pub(super) fn count(&mut self, played: &Played) {
        self.left_out.extend(played.left_out.clone());
        for (i, demo) in played.demos.iter().enumerate() {
            let won = demo.report.end == EndKind::Success;
            self.transitions += demo.transitions.len() as u64;
            if i > 0 {
                self.noisy_episodes += 1;
                self.noisy_won += u32::from(won);
                continue;
            }
            let entry = self.types.entry(played.task_type.clone()).or_default();
            entry.games += 1;
            if won {
                entry.won += 1;
                entry.actions += demo.report.steps;
            } else {
                self.lost.push(played.game.clone());
            }
        }
    }
}

/// The demonstrations of one game.
#[derive(Debug)]
pub struct Played {
    /// Its name.
    pub game: String,
    /// Its task type.
    pub task_type: String,
    /// The expert's own episode first, then those with errors.
    pub demos: Vec<Demo>,
    /// Why the game is left out.
    pub left_out: Option<String>,
}
