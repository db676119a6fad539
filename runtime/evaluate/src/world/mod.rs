//! The worlds that are evaluated on, behind one trait.

mod spec;

use serde::Serialize;
use stride_agent::environment::{Environment, EnvironmentError};

pub use spec::{Part, SpecError, WorldSpec};

/// What a game is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GameLabel {
    /// Its id, the same on every machine.
    pub id: String,
    /// Its task type.
    pub task_type: String,
}

impl GameLabel {
    /// A label.
    #[must_use]
    pub fn new(id: impl Into<String>, task_type: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            task_type: task_type.into(),
        }
    }
}

/// Some games in a stable order, held in memory and shared by all players.
pub trait Games: Sync {
    /// The labels, in order.
    fn labels(&self) -> &[GameLabel];

    /// Opens the game at an index of [`Games::labels`].
    ///
    /// # Errors
    /// When the game is damaged.
    fn open(&self, index: usize) -> Result<Box<dyn Environment + '_>, EnvironmentError>;
}
