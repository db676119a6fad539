//! The world an agent acts in, seen through text.

use std::error::Error;

/// What a world says when an episode starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The task instruction `c` (method section 2): a sentence without a label.
    pub task: String,
    /// The part of every observation that does not change during the episode (for ALFWorld the
    /// receptacles of the room), or an empty text. It is kept apart so that its keys and values
    /// are decoded once an episode.
    pub scene: String,
    /// The first observation `o_0`, without the scene.
    pub observation: String,
}

/// What a world answers to one action.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The observation `o_{t+1}`, without the scene.
    pub observation: String,
    /// Environment reward of this step, as a fraction of the full score (1.0 solves the task).
    pub reward: f32,
    /// Cumulative score as a fraction of the full score.
    pub score: f32,
    /// The world ended the episode (success, failure or a limit of its own).
    pub done: bool,
    /// The task is complete.
    pub won: bool,
    /// The world did not understand or could not do the action; nothing changed.
    pub invalid: bool,
}

/// Why a world could not answer. The episode is over, and counts as an error, not as a failure of the policy.
#[derive(Debug, thiserror::Error)]
#[error("environment: {0}")]
pub struct EnvironmentError(#[source] pub Box<dyn Error + Send + Sync>);

impl EnvironmentError {
    /// Wraps any error of a world.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

/// A text world. One value plays one episode at a time; `reset` starts the next.
pub trait Environment {
    /// Tells the world, before the episode starts, how many bytes of an observation the agent keeps. A world whose texts can be longer
    /// leaves out what matters least; the agent cuts off the end of what is longer still. The default does nothing.
    fn keep_within(&mut self, bytes: usize) {
        let _ = bytes;
    }

    /// Starts an episode.
    ///
    /// # Errors
    /// When the world cannot be loaded or started.
    fn reset(&mut self) -> Result<Opening, EnvironmentError>;

    /// Sends one action. Any text is allowed; what the world does not understand is an [`Outcome`] with `invalid` set.
    ///
    /// # Errors
    /// When the world died or hung, or when no episode is running.
    fn step(&mut self, action: &str) -> Result<Outcome, EnvironmentError>;

    /// The actions that would do something now, when the world can tell; `None` when it cannot.
    fn admissible(&mut self) -> Option<Vec<String>> {
        None
    }
}
