//! Plays recorded episodes again and compares every text and score.
//!
//! The simulator as the official package starts it is not reproducible: things of one kind are listed in an order that
//! changes from run to run, and where plants are pollinated, what happens changes too. So a text with the same entries in
//! another order is counted apart, and a recording made by chance may still differ. With
//! `JAVA_TOOL_OPTIONS="-XX:+UnlockExperimentalVMOptions -XX:hashCode=2"` the official package's JVM has the fixed order of
//! [`Launch::simulator`](super::Launch::simulator), and such a recording is reproduced to the character.

use std::time::{Duration, Instant};

use super::error::SimulatorError;
use super::session::Session;
use super::task::{EpisodeId, UnknownEpisode};
use super::transcript::Transcript;
use crate::transcripts::TranscriptError;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The task's instruction.
    Description,
    /// The room at first, or the answer to an action.
    Observation,
    /// The room.
    Look,
    /// What the agent holds.
    Inventory,
    /// The score.
    Score,
    /// Whether the episode is over.
    Done,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The episode.
    pub episode: EpisodeId,
    /// The step, from 1, and its action; `None` at the start of the episode.
    pub step: Option<(usize, String)>,
    /// What differs.
    pub field: Field,
    /// What the transcript says.
    pub expected: String,
    /// What came out here.
    pub found: String,
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Episodes played.
    pub episodes: usize,
    /// Steps played.
    pub steps: usize,
    /// Differences, of which the first ones are kept in `first`.
    pub mismatches: usize,
    /// Texts with the same entries in another order, which are no mismatches.
    pub reordered: usize,
    /// Episodes with at least one difference.
    pub differing: usize,
    /// Episodes whose last score is not the recorded one.
    pub scored_otherwise: usize,
    /// The first differences.
    pub first: Vec<Mismatch>,
    /// Time spent starting the simulator and loading episodes.
    pub loading: Duration,
    /// Time spent in steps, each with room, inventory and score.
    pub stepping: Duration,
}

/// Why a replay could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The transcripts cannot be read.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// A transcript is of an episode that does not exist.
    #[error(transparent)]
    Episode(#[from] UnknownEpisode),
    /// An episode cannot be played.
    #[error("the episode {id} cannot be played")]
    Simulator {
        /// The episode.
        id: EpisodeId,
        /// Why.
        #[source]
        source: SimulatorError,
    },
}

/// Plays transcripts on a simulator.
#[derive(Debug)]
pub struct Replay<'a> {
    session: &'a mut Session,
    keep: usize,
    result: Replayed,
}

impl<'a> Replay<'a> {
    /// A replay that keeps the first ten differences.
    #[must_use]
    pub fn new(session: &'a mut Session) -> Self {
        Self {
            session,
            keep: 10,
            result: Replayed::default(),
        }
    }

    /// Keeps another number of differences.
    #[must_use]
    pub fn with_kept(mut self, keep: usize) -> Self {
        self.keep = keep;
        self
    }

    /// Plays all transcripts.
    ///
    /// # Errors
    /// When a transcript cannot be read or played. A difference is no error: it is counted.
    pub fn run(
        mut self,
        transcripts: impl Iterator<Item = Result<Transcript, TranscriptError>>,
    ) -> Result<Replayed, ReplayError> {
        for transcript in transcripts {
            self.play(&transcript?)?;
        }
        Ok(self.result)
    }

    fn play(&mut self, transcript: &Transcript) -> Result<(), ReplayError> {
        let id = transcript.episode()?;
        let simulator = |source| ReplayError::Simulator { id, source };
        let begin = Instant::now();
        let start = self.session.reset(id).map_err(simulator)?;
        self.result.loading += begin.elapsed();
        self.result.episodes += 1;
        let before = self.result.mismatches;
        let mut compare = Compare {
            result: &mut self.result,
            keep: self.keep,
            episode: id,
            step: None,
        };
        let initial = &transcript.initial;
        compare.field(
            Field::Description,
            &transcript.description,
            &start.description,
        );
        compare.field(
            Field::Observation,
            &initial.observation,
            &start.observed.feedback,
        );
        compare.field(Field::Look, &initial.look, &start.observed.look);
        compare.field(
            Field::Inventory,
            &initial.inventory,
            &start.observed.inventory,
        );
        let mut score = start.observed.score;
        for (index, step) in transcript.steps.iter().enumerate() {
            let begin = Instant::now();
            let observed = self.session.step(&step.action).map_err(simulator)?;
            compare.result.stepping += begin.elapsed();
            compare.result.steps += 1;
            compare.step = Some((index + 1, &step.action));
            compare.field(Field::Observation, &step.observation, &observed.feedback);
            compare.field(Field::Look, &step.look, &observed.look);
            compare.field(Field::Inventory, &step.inventory, &observed.inventory);
            compare.field(Field::Score, &step.score, &observed.score);
            compare.field(Field::Done, &step.done, &observed.is_over());
            score = observed.score;
        }
        let recorded = transcript.steps.last().map_or(0, |step| step.score);
        self.result.scored_otherwise += usize::from(score != recorded);
        self.result.differing += usize::from(self.result.mismatches > before);
        Ok(())
    }
}

struct Compare<'a> {
    result: &'a mut Replayed,
    keep: usize,
    episode: EpisodeId,
    step: Option<(usize, &'a str)>,
}

impl Compare<'_> {
    fn field<T: PartialEq + ToString + ?Sized>(&mut self, field: Field, expected: &T, found: &T) {
        if expected == found {
            return;
        }
        let (expected, found) = (expected.to_string(), found.to_string());
        if entries(&expected) == entries(&found) {
            self.result.reordered += 1;
            return;
        }
        self.result.mismatches += 1;
        if self.result.first.len() < self.keep {
            self.result.first.push(Mismatch {
                episode: self.episode,
                step: self
                    .step
                    .map(|(number, action)| (number, action.to_owned())),
                field,
                expected,
                found,
            });
        }
    }
}

/// What a text lists, sorted: lines, and what stands between commas, parentheses and full stops.
fn entries(text: &str) -> Vec<&str> {
    let mut entries: Vec<&str> = text
        .split(['\n', '\t', ',', '.', '(', ')', ':'])
        .map(str::trim)
        // The first thing inside another: `a pot (containing soil, a pea)`.
        .map(|entry| entry.strip_prefix("containing ").unwrap_or(entry))
        .filter(|entry| !entry.is_empty())
        .collect();
    entries.sort_unstable();
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_order_is_no_other_list() {
        let list = |first: &str, second: &str| format!("In it, you see: \n\t{first}\n\t{second}\n");
        let one = list("a dead dove", "a pot (containing soil, a pea)");
        let same = list("a pot (containing a pea, soil)", "a dead dove");
        let other = list("a pot (containing soil)", "a dead dove");
        assert_eq!(entries(&one), entries(&same));
        assert_ne!(entries(&one), entries(&other));
    }
}
