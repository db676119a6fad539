//! What the high level of the expert sees: its frame, read.

use stride_environments::scienceworld::view::View;
use stride_firmware_config::state::Completed;

/// The frame of one high-level decision.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// The observation.
    pub view: View,
    /// The issued subtasks, oldest first; only the last ones are known by name.
    pub completed: &'a Completed,
    /// Final progress of the last subtask; `None` at the start.
    pub progress: &'a str,
}

impl<'a> Situation<'a> {
    /// Reads a frame.
    #[must_use]
    pub fn new(view: View, completed: &'a Completed, progress: &'a str) -> Self {
        Self {
            view,
            completed,
            progress,
        }
    }

    /// Whether a subtask that starts so was issued, as far as names are kept.
    #[must_use]
    pub fn issued(&self, start: &str) -> bool {
        self.completed.iter().any(|text| text.starts_with(start))
    }

    /// How many subtasks that start so were issued, as far as names are kept.
    #[must_use]
    pub fn times(&self, start: &str) -> usize {
        self.completed
            .iter()
            .filter(|text| text.starts_with(start))
            .count()
    }

    /// The last subtask.
    #[must_use]
    pub fn last(&self) -> Option<&'a str> {
        self.completed.iter().last()
    }

    /// Whether the agent stands in this room.
    #[must_use]
    pub fn is_in(&self, room: &str) -> bool {
        self.view.room == room
    }

    /// Whether the thing is in focus: a focus that starts so was issued, and did not fail if that was just now. To focus a second
    /// time can end the episode.
    #[must_use]
    pub fn has_focused_on(&self, name: &str) -> bool {
        let start = format!("focus on {name}");
        match self.last() {
            Some(last) if last.starts_with(&start) => self.progress.starts_with("You focus on "),
            _ => self.issued(&start),
        }
    }
}
