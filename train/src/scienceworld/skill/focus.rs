//! `focus on X`: one action. A wrong focus ends the episode, so the planner names the thing as the simulator does.

use stride_environments::scienceworld::view::View;
use stride_firmware_config::frame::NO_PROGRESS;

use super::{Action, Skill};

/// How the simulator confirms a focus.
pub const FOCUSED: &str = "You focus on ";

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    name: String,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(name: &str) -> String {
    format!("focus on {name}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Focus> {
    subtask.strip_prefix("focus on ").map(|name| Focus {
        name: name.to_owned(),
    })
}

impl Skill for Focus {
    fn act(&self, view: &View, progress: &str) -> Action {
        // A number has answered which of several things was meant; to focus once more would end the episode.
        if progress != NO_PROGRESS && view.feedback.starts_with(FOCUSED) {
            return Action::give_back();
        }
        Action::finish(sentence(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn focuses_once() {
        let focus = read("focus on table").unwrap();
        let view =
            View::read("You focus on the chair. | kitchen: table [] | doors:  | holding: nothing");
        assert_eq!(focus.act(&view, "None").to_string(), "focus on table; True");
        assert_eq!(
            focus
                .act(&view, "Ambiguous request: which table?")
                .to_string(),
            "look around; True"
        );
    }
}
