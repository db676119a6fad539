//! Transitions as a person reads them: one by one with their frames and labels, and counted.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use stride_agent::transition::{EndKind, Source, Transition};
use stride_firmware_config::level::PolicyLevel;

use crate::data::is_held_out;

/// Which transitions are wanted; nothing set wants all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Of this level.
    pub level: Option<PolicyLevel>,
    /// Of games whose id holds this text.
    pub game: Option<String>,
    /// With this text in the frame or the utterance.
    pub text: Option<String>,
    /// Chosen by this source.
    pub source: Option<Source>,
    /// Of episodes that ended like this.
    pub end: Option<EndKind>,
}

impl Filter {
    /// Whether a transition is wanted.
    #[must_use]
    pub fn wants(&self, transition: &Transition) -> bool {
        let holds = |text: &str, part: &Option<String>| {
            part.as_deref().is_none_or(|part| text.contains(part))
        };
        self.level
            .is_none_or(|level| level == transition.state.level())
            && self.source.is_none_or(|source| source == transition.source)
            && self.end.is_none_or(|end| end == transition.end)
            && holds(&transition.game, &self.game)
            && self
                .text
                .as_deref()
                .is_none_or(|text| mentions(transition, text))
    }
}

fn mentions(transition: &Transition, text: &str) -> bool {
    let mut found = transition.utterance.contains(text);
    transition
        .state
        .as_frame()
        .segments(|segment| found |= segment.text.contains(text));
    found
}

/// A transition on several lines, for a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Readable<'a>(pub &'a Transition);

impl fmt::Display for Readable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transition = self.0;
        write!(
            f,
            "{}  subtask {}  step {}  {}",
            transition.game,
            transition.subtask_index,
            transition.step_index,
            transition.state.level()
        )?;
        writeln!(
            f,
            "  by {}, episode {}{}",
            source_name(transition.source),
            end_name(transition.end),
            if transition.done { ", done" } else { "" }
        )?;
        let mut written = Ok(());
        transition.state.as_frame().segments(|segment| {
            if !segment.text.is_empty() && written.is_ok() {
                let name = format!("{:?}", segment.marker).to_lowercase();
                written = writeln!(f, "  {name:<12} {}", segment.text);
            }
        });
        written?;
        write!(f, "  {:<12} {}", "->", transition.utterance)?;
        if transition.reward != 0.0 || transition.span != 1 {
            write!(f, "   (reward {}", transition.reward)?;
            if transition.span != 1 {
                write!(f, " over {} steps", transition.span)?;
            }
            f.write_str(")")?;
        }
        writeln!(f)
    }
}

/// Transitions of one level, counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LevelCounts {
    /// Transitions.
    pub transitions: u64,
    /// Utterances that differ.
    pub utterances: usize,
    /// Bytes of the frames as the layout writes them, together.
    pub frame_bytes: u64,
    /// Bytes of the longest frame.
    pub longest_frame: usize,
    /// Bytes of the utterances together.
    pub utterance_bytes: u64,
    /// The decision process of the level ended.
    pub done: u64,
    /// Low level: utterances that end their subtask.
    pub ends_subtask: u64,
    /// Sum of the rewards.
    pub reward: f64,
}

/// Transitions, counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Counts {
    /// By level: high, low, progress.
    pub levels: [LevelCounts; 3],
    /// Games by how their episodes ended; a game that was played several times counts under each end once.
    pub games: BTreeMap<&'static str, usize>,
    /// Transitions by who chose.
    pub sources: BTreeMap<&'static str, u64>,
    /// Games, and how many of them training holds out.
    pub all_games: usize,
    /// Of these, games that training with the given share holds out.
    pub held_out_games: usize,
    /// The utterances that occur most, by level.
    pub frequent: [Vec<(String, u64)>; 3],
}

/// Utterances of a level that are listed.
const LISTED: usize = 5;

/// Counts transitions while they are read.
#[derive(Debug, Default)]
pub struct Counter {
    counts: Counts,
    utterances: [BTreeMap<String, u64>; 3],
    games: BTreeMap<String, [bool; 3]>,
}

impl Counter {
    /// Counts one.
    pub fn add(&mut self, transition: &Transition) {
        let index = crate::model::packed::level_index(transition.state.level());
        let level = &mut self.counts.levels[index];
        let mut frame = 0;
        transition.state.as_frame().segments(|segment| {
            let space = usize::from(!segment.text.is_empty());
            frame += segment.marker.token().len() + space + segment.text.len();
        });
        level.transitions += 1;
        level.frame_bytes += frame as u64;
        level.longest_frame = level.longest_frame.max(frame);
        level.utterance_bytes += transition.utterance.len() as u64;
        level.done += u64::from(transition.done);
        let low = transition.state.level() == PolicyLevel::Low;
        level.ends_subtask += u64::from(low && transition.utterance.ends_with("; True"));
        level.reward += f64::from(transition.reward);
        let utterances = &mut self.utterances[index];
        match utterances.get_mut(&transition.utterance) {
            Some(count) => *count += 1,
            None => {
                utterances.insert(transition.utterance.clone(), 1);
            }
        }
        let source = self.counts.sources.entry(source_name(transition.source));
        *source.or_default() += 1;
        let end = match transition.end {
            EndKind::Success => 0,
            EndKind::Failure => 1,
            EndKind::Truncated => 2,
        };
        if !self.games.contains_key(&transition.game) {
            self.games.insert(transition.game.clone(), [false; 3]);
        }
        if let Some(ends) = self.games.get_mut(&transition.game) {
            ends[end] = true;
        }
    }

    /// What was counted. `held_out` is the share of games that training holds out.
    #[must_use]
    pub fn finish(mut self, held_out: f64) -> Counts {
        for (index, utterances) in self.utterances.into_iter().enumerate() {
            self.counts.levels[index].utterances = utterances.len();
            let mut frequent: Vec<(String, u64)> = utterances.into_iter().collect();
            // Stable, so that equals stay in the order of the alphabet.
            frequent.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            frequent.truncate(LISTED);
            self.counts.frequent[index] = frequent;
        }
        for (game, ends) in &self.games {
            self.counts.held_out_games += usize::from(is_held_out(game, held_out));
            let kinds = [EndKind::Success, EndKind::Failure, EndKind::Truncated];
            for (kind, _) in kinds.iter().zip(ends).filter(|(_, ended)| **ended) {
                *self.counts.games.entry(end_name(*kind)).or_default() += 1;
            }
        }
        self.counts.all_games = self.games.len();
        self.counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<10} {:>11} {:>11} {:>12} {:>13} {:>15} {:>8} {:>10} {:>9}",
            "level",
            "transitions",
            "utterances",
            "frame bytes",
            "longest frame",
            "utterance bytes",
            "done",
            "; True",
            "reward"
        )?;
        for (level, counts) in PolicyLevel::ALL.iter().zip(&self.levels) {
            let mean = |sum: u64| sum as f64 / counts.transitions.max(1) as f64;
            writeln!(
                f,
                "{:<10} {:>11} {:>11} {:>12.1} {:>13} {:>15.1} {:>8} {:>10} {:>9.1}",
                level.name(),
                counts.transitions,
                counts.utterances,
                mean(counts.frame_bytes),
                counts.longest_frame,
                mean(counts.utterance_bytes),
                counts.done,
                counts.ends_subtask,
                counts.reward
            )?;
        }
        let list = |pairs: Vec<String>| pairs.join(", ");
        let sources = self
            .sources
            .iter()
            .map(|(name, n)| format!("{n} by {name}"));
        writeln!(f, "transitions {}", list(sources.collect()))?;
        let games = self.games.iter().map(|(name, n)| format!("{n} {name}"));
        writeln!(
            f,
            "games       {} ({}), {} of them held out by training",
            self.all_games,
            list(games.collect()),
            self.held_out_games
        )?;
        for (level, frequent) in PolicyLevel::ALL.iter().zip(&self.frequent) {
            for (utterance, count) in frequent {
                writeln!(f, "{:<10} {count:>8} x {utterance}", level.name())?;
            }
        }
        Ok(())
    }
}

/// The name of a source, as transition files write it.
#[must_use]
pub const fn source_name(source: Source) -> &'static str {
    match source {
        Source::Expert => "expert",
        Source::Relabelled => "relabelled",
        Source::Policy => "policy",
    }
}

/// The name of an end, as transition files write it.
#[must_use]
pub const fn end_name(end: EndKind) -> &'static str {
    match end {
        EndKind::Success => "success",
        EndKind::Failure => "failure",
        EndKind::Truncated => "truncated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::transition;

    #[test]
    fn a_transition_reads_as_its_frame_and_its_label() {
        let shown = Readable(&transition(7)).to_string();
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].starts_with("test:0  subtask 0  step 7  low  by expert, episode success"));
        assert!(lines[2].trim_start().starts_with("observation  On the "));
        assert!(lines.last().unwrap().ends_with("; True"), "{shown}");
        assert!(shown.contains("\n  progress     None\n"), "{shown}");
        assert!(!shown.contains("begin"), "markers alone are left out");
    }

    #[test]
    fn filters_narrow() {
        let all: Vec<_> = (0..100).map(transition).collect();
        let count = |filter: &Filter| all.iter().filter(|t| filter.wants(t)).count();
        assert_eq!(count(&Filter::default()), 100);
        let of_game = Filter {
            game: Some("test:3".into()),
            ..Filter::default()
        };
        assert_eq!(count(&of_game), 10);
        let mugs = Filter {
            text: Some("take mug".into()),
            ..Filter::default()
        };
        assert_eq!(
            count(&mugs),
            all.iter()
                .filter(|t| t.utterance.contains("take mug"))
                .count()
        );
        let high = Filter {
            level: Some(PolicyLevel::High),
            ..Filter::default()
        };
        assert_eq!(count(&high), 0);
        let policy = Filter {
            source: Some(Source::Policy),
            ..Filter::default()
        };
        assert_eq!(count(&policy), 0);
    }

    #[test]
    fn counts_are_those_of_the_transitions() {
        let mut counter = Counter::default();
        for seed in 0..100 {
            counter.add(&transition(seed));
        }
        counter.add(&transition(0));
        let counts = counter.finish(1.0);
        let low = &counts.levels[1];
        assert_eq!((low.transitions, low.ends_subtask), (101, 101));
        assert_eq!(counts.levels[0], LevelCounts::default());
        assert_eq!((counts.all_games, counts.held_out_games), (10, 10));
        assert_eq!(counts.games["success"], 10);
        assert_eq!(counts.sources["expert"], 101);
        assert_eq!(counts.frequent[1].len(), LISTED);
        assert!(counts.frequent[1][0].1 >= 2);
        assert!(counts.to_string().contains("101 by expert"));
    }
}
