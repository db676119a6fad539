//! What the high level of the expert sees: its frame, read.

use stride_environments::scienceworld::view::View;
use stride_firmware_config::state::Completed;

use super::skill::focus;

/// The frame of one high-level decision.
#[derive(Debug, Clone)]
pub struct Situation<'a> {
    /// The observation.
    pub view: View,
    /// The issued subtasks, oldest first; only the last ones are known by name.
    pub completed: &'a Completed,
    /// Final progress of the last subtask; empty before the first.
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

    /// The last subtask.
    #[must_use]
    pub fn last(&self) -> Option<&'a str> {
        self.completed.last()
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
            Some(last) if last.starts_with(&start) => self.progress.starts_with(focus::FOCUSED),
            _ => self.issued(&start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_focus_that_just_failed_does_not_count() {
        let mut completed = Completed::new();
        let has = |completed: &Completed, progress: &str| {
            Situation::new(View::default(), completed, progress).has_focused_on("soap")
        };
        assert!(!has(&completed, "You focus on the soap."), "never issued");
        completed.push("focus on soap", 8);
        assert!(has(&completed, "You focus on the soap."));
        assert!(!has(&completed, "No known action matches that input."));
        completed.push("go to the kitchen", 8);
        assert!(has(&completed, "Now in the kitchen."));
    }
}
