//! What the episodes of a run add up to.

use std::collections::BTreeMap;

use serde::Serialize;

use stride_firmware_config::level::PolicyLevel;

use super::score::{self, Scores};
use crate::episode::{Calls, End, Episode};
use crate::frames::Cuts;
use crate::meter::StepCost;
use crate::statistics::{Interval, Mean, Spread, bootstrap, wilson};

/// The steps that count as early in the comparison of [`Growth`], from 1.
pub const EARLY: std::ops::RangeInclusive<usize> = 1..=10;
/// The steps that count as late, from 1. An episode takes part when it has at least one of them.
pub const LATE: std::ops::RangeInclusive<usize> = 31..=50;

/// Success of one task type, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Success {
    /// The task type, or `all`.
    pub task_type: String,
    /// Episodes that came to a verdict (all but errors).
    pub episodes: usize,
    /// Of these, won.
    pub won: usize,
    /// The fraction that was won; 0 without episodes.
    pub rate: f64,
    /// 95 % Wilson interval of the rate.
    pub interval: Interval,
    /// Mean number of actions over all of these episodes.
    pub mean_steps: f64,
    /// Mean number of actions of the won ones; `None` when none was won.
    pub mean_steps_won: Option<f64>,
    /// Mean score in percent with its bootstrap interval; `None` where the success rate says the same, or without episodes.
    pub score: Option<Mean>,
}

/// How many episodes ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Ends {
    /// Won.
    pub success: usize,
    /// Ended by the world without success.
    pub failure: usize,
    /// Stopped at the limit of actions.
    pub truncated: usize,
    /// Of these, while nothing new happened any more ([`crate::trail::Trail::loops`]).
    pub looped: usize,
    /// Broken.
    pub error: usize,
}

/// Whether steps become dearer as an episode grows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Growth {
    /// Episodes with more than 30 steps: the ones compared.
    pub episodes: usize,
    /// 95th percentile of tokens per step over their steps 1 to 10.
    pub early_p95: f64,
    /// The same over their steps 31 to 50.
    pub late_p95: f64,
    /// Late over early; 1 means that a step costs the same however old the episode is.
    pub ratio: f64,
}

/// Tokens of the frames of one level, cached or not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct FrameTokens {
    /// The level.
    pub level: PolicyLevel,
    /// Tokens of one call's frame.
    pub tokens: Spread,
}

/// Everything a run's table shows. Quantiles are nearest-rank.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Success of every task type in the order of their names; `all` last.
    pub success: Vec<Success>,
    /// Mean scores; `None` for a world whose games are only won or lost.
    pub score: Option<Scores>,
    /// How the episodes ended.
    pub ends: Ends,
    /// Calls of all episodes together.
    pub calls: Calls,
    /// Subtasks of all episodes together.
    pub subtasks: u64,
    /// Actions that the world did not understand or could not do.
    pub invalid: u64,
    /// Utterances that did not parse.
    pub malformed: u64,
    /// Utterances that stopped at their cap.
    pub capped: u64,
    /// Prompt and generated tokens per step.
    pub tokens_per_step: Option<Spread>,
    /// Tokens per step that were not found in the KV cache: prompt tokens decoded, and generated ones.
    pub decoded_per_step: Option<Spread>,
    /// Milliseconds per step, policy and world together.
    pub millis_per_step: Option<Spread>,
    /// Of these, inside the world.
    pub world_millis_per_step: Option<Spread>,
    /// Prompt tokens of one call, all levels together.
    pub tokens_per_prompt: Option<Spread>,
    /// The same by level; a level that was never asked is not there.
    pub tokens_per_level: Vec<FrameTokens>,
    /// Texts that did not fit their buffers.
    pub cuts: Cuts,
    /// Early against late steps; `None` when no episode lasted longer than 30 steps.
    pub growth: Option<Growth>,
}

impl Summary {
    /// Adds up some episodes; `graded` when their world gives parts of its score.
    #[must_use]
    pub fn of(episodes: &[Episode], graded: bool) -> Self {
        let steps = || episodes.iter().flat_map(|episode| &episode.costs);
        let mut calls = Calls::default();
        for episode in episodes {
            calls.high += episode.calls.high;
            calls.low += episode.calls.low;
            calls.progress += episode.calls.progress;
        }
        let sum = |field: fn(&Episode) -> u32| -> u64 {
            episodes
                .iter()
                .map(|episode| u64::from(field(episode)))
                .sum()
        };
        Self {
            success: success(episodes, graded),
            score: graded.then(|| score::scores(episodes)).flatten(),
            ends: ends(episodes),
            calls,
            subtasks: sum(|e| e.subtasks),
            invalid: sum(|e| e.invalid),
            malformed: sum(|e| e.malformed),
            capped: steps().map(|step| u64::from(step.capped)).sum(),
            tokens_per_step: Spread::of(steps().map(|step| f64::from(step.tokens()))),
            decoded_per_step: Spread::of(
                steps().map(|step| f64::from(step.decoded_tokens + step.generated_tokens)),
            ),
            millis_per_step: Spread::of(steps().map(StepCost::millis)),
            world_millis_per_step: Spread::of(
                steps().map(|step| step.world_micros as f64 / 1000.0),
            ),
            tokens_per_prompt: prompt_tokens(episodes, None),
            tokens_per_level: PolicyLevel::ALL
                .into_iter()
                .filter_map(|level| {
                    prompt_tokens(episodes, Some(level)).map(|tokens| FrameTokens { level, tokens })
                })
                .collect(),
            cuts: cuts(episodes),
            growth: growth(episodes),
        }
    }

    /// The row of all task types together.
    #[must_use]
    pub fn overall(&self) -> Option<&Success> {
        self.success.last()
    }
}

fn success(episodes: &[Episode], graded: bool) -> Vec<Success> {
    let all: Vec<&Episode> = episodes.iter().filter(|e| e.judged()).collect();
    by_task(episodes)
        .iter()
        .map(|(name, group)| row(name, group, graded))
        .chain([row("all", &all, graded)])
        .collect()
}

/// The judged episodes of every task type.
pub(super) fn by_task(episodes: &[Episode]) -> BTreeMap<&str, Vec<&Episode>> {
    let mut by_type: BTreeMap<&str, Vec<&Episode>> = BTreeMap::new();
    for episode in episodes.iter().filter(|e| e.judged()) {
        by_type.entry(&episode.task_type).or_default().push(episode);
    }
    by_type
}

fn row(task_type: &str, group: &[&Episode], graded: bool) -> Success {
    let steps = |episode: &&Episode| f64::from(episode.steps);
    let won: Vec<&Episode> = group.iter().copied().filter(|e| e.won()).collect();
    let mean = |of: &[&Episode]| Spread::of(of.iter().map(steps)).map(|spread| spread.mean);
    let scores: Vec<f64> = group.iter().map(|episode| episode.score).collect();
    Success {
        task_type: task_type.to_owned(),
        episodes: group.len(),
        won: won.len(),
        rate: won.len() as f64 / group.len().max(1) as f64,
        interval: wilson(won.len(), group.len()),
        mean_steps: mean(group).unwrap_or(0.0),
        mean_steps_won: mean(&won),
        score: graded.then(|| bootstrap(&[&scores])).flatten(),
    }
}

/// Prompt tokens of the calls of one level, or of all.
fn prompt_tokens(episodes: &[Episode], level: Option<PolicyLevel>) -> Option<Spread> {
    let prompts = episodes.iter().flat_map(|episode| &episode.prompts);
    let chosen = prompts.filter(|prompt| level.is_none_or(|level| level == prompt.level));
    Spread::of(chosen.map(|prompt| f64::from(prompt.tokens)))
}

fn cuts(episodes: &[Episode]) -> Cuts {
    let mut all = Cuts::new();
    for (field, cut) in episodes.iter().flat_map(|episode| &episode.cuts) {
        let sum = all.entry(field).or_default();
        sum.texts += cut.texts;
        sum.bytes += cut.bytes;
    }
    all
}

fn ends(episodes: &[Episode]) -> Ends {
    let mut ends = Ends::default();
    for episode in episodes {
        match episode.end {
            End::Success => ends.success += 1,
            End::Failure => ends.failure += 1,
            End::Truncated => {
                ends.truncated += 1;
                ends.looped += usize::from(episode.looped);
            }
            End::Error { .. } => ends.error += 1,
        }
    }
    ends
}

fn growth(episodes: &[Episode]) -> Option<Growth> {
    let long: Vec<&Episode> = episodes
        .iter()
        .filter(|episode| episode.costs.len() >= *LATE.start())
        .collect();
    let p95 = |steps: std::ops::RangeInclusive<usize>| {
        let tokens = long.iter().flat_map(|episode| {
            let last = episode.costs.len().min(*steps.end());
            &episode.costs[steps.start() - 1..last]
        });
        Spread::of(tokens.map(|step| f64::from(step.tokens()))).map(|spread| spread.p95)
    };
    let (early_p95, late_p95) = (p95(EARLY)?, p95(LATE)?);
    Some(Growth {
        episodes: long.len(),
        early_p95,
        late_p95,
        ratio: late_p95 / early_p95,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::Origin;
    use crate::world::GameLabel;

    fn episode(task_type: &str, end: End, tokens: &[u32]) -> Episode {
        let mut episode = Episode::broken(
            &GameLabel::new("g", task_type),
            Origin::World,
            String::new(),
        );
        episode.end = end;
        episode.steps = u32::try_from(tokens.len()).unwrap();
        episode.costs = tokens
            .iter()
            .map(|&prompt_tokens| StepCost {
                prompt_tokens,
                ..StepCost::default()
            })
            .collect();
        episode
    }

    #[test]
    fn errors_are_no_verdict() {
        let broken = End::Error {
            origin: Origin::World,
            message: "x".into(),
        };
        let summary = Summary::of(
            &[
                episode("heat", End::Success, &[1, 1]),
                episode("heat", End::Truncated, &[1; 50]),
                episode("cool", broken, &[]),
            ],
            false,
        );
        let names: Vec<_> = summary.success.iter().map(|s| &*s.task_type).collect();
        assert_eq!(names, ["heat", "all"]);
        let all = summary.overall().unwrap();
        assert_eq!((all.won, all.episodes, all.rate), (1, 2, 0.5));
        assert_eq!((all.mean_steps, all.mean_steps_won), (26.0, Some(2.0)));
        assert_eq!((summary.ends.error, summary.ends.truncated), (1, 1));
    }

    #[test]
    fn growth_compares_the_same_episodes() {
        let mut grows = vec![100; 30];
        grows.extend([150; 20]);
        // The short and dear episode is not in the comparison.
        let summary = Summary::of(
            &[
                episode("heat", End::Truncated, &grows),
                episode("heat", End::Success, &[900; 30]),
            ],
            false,
        );
        let growth = summary.growth.unwrap();
        assert_eq!(growth.episodes, 1);
        assert_eq!((growth.early_p95, growth.late_p95), (100.0, 150.0));
        assert!((growth.ratio - 1.5).abs() < 1e-12);
        assert_eq!(summary.tokens_per_step.unwrap().max, 900.0);
    }

    #[test]
    fn nothing_adds_up_to_nothing() {
        let summary = Summary::of(&[], false);
        assert_eq!(summary.overall().unwrap().episodes, 0);
        assert_eq!(summary.growth, None);
        assert_eq!(summary.tokens_per_step, None);
    }
}
