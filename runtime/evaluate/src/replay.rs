//! `stride-eval replay`: recorded games of the official engine, played again and compared.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use stride_environments::alfworld::{
    Collection, GameId, Mismatch, Replay, Transcript, Transcripts,
};

use crate::error::EvalError;
use crate::stop::Stop;

/// Differences that are shown.
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
    /// How the transcript's commands were chosen.
    pub mode: String,
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

/// Replays a file of transcripts. `played` is told after each transcript how many there were.
///
/// # Errors
/// When the file or a game cannot be read or played. Differences are counted, not errors.
pub fn replay(
    games: &Collection,
    transcripts: &Path,
    stop: &Stop,
    mut played: impl FnMut(usize),
) -> Result<Conformance, EvalError> {
    let mut ids: BTreeSet<GameId> = BTreeSet::new();
    let mut count = 0;
    let mut partial = false;
    let source = Transcripts::open(transcripts)?.take_while(|_| {
        partial = stop.requested();
        !partial
    });
    let source = source.inspect(|transcript| {
        if let Ok(Transcript { game, .. }) = transcript {
            ids.insert(game.clone());
            count += 1;
            played(count);
        }
    });
    let result = Replay::new(games).with_kept(SHOWN).run(source)?;
    Ok(Conformance {
        games: ids.len(),
        transcripts: result.episodes,
        steps: result.steps,
        mismatches: result.mismatches,
        first: result.first.into_iter().map(Difference::from).collect(),
        partial,
    })
}

impl Conformance {
    /// Everything was compared and nothing differs.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.partial && self.mismatches == 0
    }
}

impl From<Mismatch> for Difference {
    fn from(mismatch: Mismatch) -> Self {
        let (step, action) = mismatch.step.unzip();
        Self {
            game: mismatch.game.to_string(),
            mode: mismatch.mode,
            step,
            action,
            field: format!("{:?}", mismatch.field).to_lowercase(),
            expected: mismatch.expected,
            found: mismatch.found,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.game, self.mode)?;
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
            mode: "random".into(),
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
