//! Episodes recorded with the official Python package: one JSON object a line.

use serde::{Deserialize, Serialize};

use super::task::{EpisodeId, Split, Task, UnknownEpisode};

/// Reads recorded episodes.
pub type Transcripts = crate::transcripts::Transcripts<Transcript>;

/// One recorded episode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// The task.
    pub task: Task,
    /// Its variation.
    pub variation: u32,
    /// The split that the variation belongs to.
    pub split: Split,
    /// The instruction.
    pub description: String,
    /// What was seen at first.
    pub initial: TranscriptStart,
    /// What was done and what came of it, from a fresh load without the look around of `initial`.
    pub steps: Vec<TranscriptStep>,
}

impl Transcript {
    /// The episode.
    ///
    /// # Errors
    /// When the task has no such variation.
    pub fn episode(&self) -> Result<EpisodeId, UnknownEpisode> {
        EpisodeId::new(self.task, self.variation)
    }
}

/// The recorded start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptStart {
    /// The answer to `look around`.
    pub observation: String,
    /// The room.
    pub look: String,
    /// What the agent holds.
    pub inventory: String,
}

/// One recorded step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptStep {
    /// The action.
    pub action: String,
    /// The answer.
    pub observation: String,
    /// The room afterwards.
    pub look: String,
    /// What the agent holds afterwards.
    pub inventory: String,
    /// The score, -100 to 100.
    pub score: i32,
    /// Whether the episode was over.
    pub done: bool,
}
