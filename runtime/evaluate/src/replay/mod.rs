//! `stride-eval replay`: recorded games of the official engine, played again and compared.

mod alfworld;
mod scienceworld;

use std::fmt;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

pub use alfworld::replay as replay_alfworld;
pub use scienceworld::{Portion, replay as replay_scienceworld};

/// Differences that are kept and shown.
const SHOWN: usize = 10;

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conformance {
    /// Distinct games.
    pub games: usize,
    /// Transcripts played; a game may have several.
    pub transcripts: usize,
    /// Steps played.
    pub steps: usize,
    /// Differences in first texts, answers, command lists, `won`, `done` and score.
    pub mismatches: usize,
    /// Texts that list the same things in another order, which the official engine does not fix either; no mismatches.
    pub reordered: usize,
    /// The first differences.
    pub first: Vec<Difference>,
    /// Stopped before the last transcript.
    pub partial: bool,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The game.
    pub game: String,
    /// How the transcript's commands were chosen, where the transcript says it.
    pub mode: Option<String>,
    /// The step, from 1; `None` at the start of the episode.
    pub step: Option<usize>,
    /// The command of that step.
    pub action: Option<String>,
    /// What differs: observation, admissible, won, done or score.
    pub field: String,
    /// What the transcript says.
    pub expected: String,
    /// What came out here.
    pub found: String,
}

impl Conformance {
    /// Everything was compared and nothing differs.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.partial && self.mismatches == 0
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.game)?;
        if let Some(mode) = &self.mode {
            write!(f, " ({mode})")?;
        }
        match (&self.step, &self.action) {
            (Some(step), Some(action)) => write!(f, ", step {step} `{action}`")?,
            _ => f.write_str(", at the start")?,
        }
        writeln!(f, ": {}", self.field)?;
        let diff = TextDiff::from_lines(&self.expected, &self.found);
        for change in diff.iter_all_changes() {
            let sign = match change.tag() {
                ChangeTag::Delete => "-",
                ChangeTag::Insert => "+",
                ChangeTag::Equal => " ",
            };
            let line = change.value();
            writeln!(f, "  {sign} {}", line.strip_suffix('\n').unwrap_or(line))?;
        }
        Ok(())
    }
}

/// The first differences as diffs (`-` the transcript, `+` this engine), then the counts in the last line.
impl fmt::Display for Conformance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.first {
            writeln!(f, "{difference}")?;
        }
        let hidden = self.mismatches - self.first.len().min(self.mismatches);
        if hidden > 0 {
            writeln!(f, "and {hidden} more\n")?;
        }
        if self.partial {
            writeln!(f, "PARTIAL: stopped after {} transcripts", self.transcripts)?;
        }
        if self.reordered > 0 {
            writeln!(f, "{} texts list the same in another order", self.reordered)?;
        }
        writeln!(
            f,
            "replayed {} steps in {} games: {} mismatches",
            self.steps, self.games, self.mismatches
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(expected: &str, found: &str) -> Difference {
        Difference {
            game: "train/a/b/game.tw-pddl".into(),
            mode: Some("random".into()),
            step: Some(3),
            action: Some("look".into()),
            field: "observation".into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    #[test]
    fn differences_read_as_diffs() {
        assert_eq!(
            difference("one\ntwo\n", "one\nthree\n").to_string(),
            "train/a/b/game.tw-pddl (random), step 3 `look`: observation\n    one\n  - two\n  + three\n"
        );
    }

    #[test]
    fn the_last_line_is_the_count() {
        let mut found = Conformance {
            games: 2,
            transcripts: 4,
            steps: 50,
            mismatches: 0,
            reordered: 0,
            first: Vec::new(),
            partial: false,
        };
        assert!(found.holds());
        assert_eq!(
            found.to_string(),
            "replayed 50 steps in 2 games: 0 mismatches\n"
        );
        found.first = vec![difference("a", "b")];
        found.mismatches = 12;
        assert!(!found.holds());
        let text = found.to_string();
        assert!(text.contains("and 11 more"), "{text}");
        assert!(
            text.ends_with("replayed 50 steps in 2 games: 12 mismatches\n"),
            "{text}"
        );
    }
}
