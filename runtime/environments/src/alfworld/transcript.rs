//! Recorded games of the official engine: one JSON object a line.

use serde::{Deserialize, Serialize};

use super::identity::GameId;

/// Reads recorded games.
pub type Transcripts = crate::transcripts::Transcripts<Transcript>;

/// One recorded episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// The game.
    pub game: GameId,
    /// How the commands were chosen: `walkthrough` or `random`.
    #[serde(default)]
    pub mode: String,
    /// The first text.
    pub initial: String,
    /// The commands admissible at first, sorted.
    pub admissible: Vec<String>,
    /// What was done and what came of it.
    pub steps: Vec<TranscriptStep>,
}

/// One recorded step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranscriptStep {
    /// The command.
    pub action: String,
    /// The answer.
    pub observation: String,
    /// The commands admissible afterwards, sorted.
    pub admissible: Vec<String>,
    /// Whether the goal held.
    pub won: bool,
    /// Whether the episode was over.
    pub done: bool,
    /// The score.
    pub score: f32,
}
