//! Plays transcripts again and compares every text, command list and score.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::collection::Collection;
use super::error::{CollectionError, GameError};
use super::identity::GameId;
use super::session::Session;
use super::transcript::Transcript;
use crate::transcripts::TranscriptError;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    /// The first text, or the answer to a command.
    Observation,
    /// The list of commands, sorted, one a line.
    Admissible,
    /// Whether the goal holds.
    Won,
    /// Whether the episode is over.
    Done,
    /// The score.
    Score,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The game.
    pub game: GameId,
    /// How the commands were chosen.
    pub mode: String,
    /// The step, from 1, and its command; `None` at the start of the episode.
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
    /// The first differences.
    pub first: Vec<Mismatch>,
    /// Time spent loading games, without reading the file.
    pub loading: Duration,
    /// Time spent in steps, each with its list of commands.
    pub stepping: Duration,
}

/// Why a replay could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The transcripts cannot be read.
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    /// A game cannot be loaded.
    #[error(transparent)]
    Collection(#[from] CollectionError),
    /// A game cannot be played.
    #[error("the game {id} cannot be played")]
    Game {
        /// The game.
        id: GameId,
        /// Why.
        #[source]
        source: GameError,
    },
}

/// Plays transcripts on the games of a collection.
#[derive(Debug, Clone)]
pub struct Replay<'a> {
    games: &'a Collection,
    keep: usize,
    result: Replayed,
}

impl<'a> Replay<'a> {
    /// A replay that keeps the first ten differences.
    #[must_use]
    pub fn new(games: &'a Collection) -> Self {
        Self {
            games,
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
    /// When a transcript or a game cannot be read or played. A difference is no error: it is counted.
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
        let id = &transcript.game;
        let game = |source| ReplayError::Game {
            id: id.clone(),
            source,
        };
        let json = self.games.read(id)?;
        let begin = Instant::now();
        let loaded = super::Game::from_json(&json).map_err(game)?;
        self.result.loading += begin.elapsed();
        let mut session = Session::new(Arc::new(loaded));
        self.result.episodes += 1;
        let initial = session.reset().map_err(game)?;
        let admissible = session.admissible().map_err(game)?;
        let mut compare = Compare {
            result: &mut self.result,
            keep: self.keep,
            transcript,
            step: None,
        };
        compare.field(Field::Observation, &transcript.initial, &initial);
        compare.field(
            Field::Admissible,
            &transcript.admissible.join("\n"),
            &admissible.join("\n"),
        );
        for (index, step) in transcript.steps.iter().enumerate() {
            let begin = Instant::now();
            let result = session.step(&step.action).map_err(game)?;
            let admissible = session.admissible().map_err(game)?;
            compare.result.stepping += begin.elapsed();
            compare.result.steps += 1;
            compare.step = Some((index + 1, &step.action));
            compare.field(Field::Observation, &step.observation, &result.observation);
            compare.field(Field::Won, &step.won, &result.won);
            compare.field(Field::Done, &step.done, &result.done);
            compare.field(Field::Score, &step.score, &result.score);
            compare.field(
                Field::Admissible,
                &step.admissible.join("\n"),
                &admissible.join("\n"),
            );
        }
        Ok(())
    }
}

struct Compare<'a> {
    result: &'a mut Replayed,
    keep: usize,
    transcript: &'a Transcript,
    step: Option<(usize, &'a str)>,
}

impl Compare<'_> {
    fn field<T: PartialEq + ToString + ?Sized>(&mut self, field: Field, expected: &T, found: &T) {
        if expected == found {
            return;
        }
        self.result.mismatches += 1;
        if self.result.first.len() < self.keep {
            self.result.first.push(Mismatch {
                game: self.transcript.game.clone(),
                mode: self.transcript.mode.clone(),
                step: self
                    .step
                    .map(|(number, action)| (number, action.to_owned())),
                field,
                expected: expected.to_string(),
                found: found.to_string(),
            });
        }
    }
}
