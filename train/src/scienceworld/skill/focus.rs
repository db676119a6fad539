//! `focus on X`: one action. A wrong focus ends the episode, so the planner names the thing as the simulator does.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill};

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
    fn act(&self, _view: &View, _progress: &str) -> Action {
        Action::finish(sentence(&self.name))
    }
}
