//! `move X to Y`: one action; Y is opened first when it is closed.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    name: String,
    target: String,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(name: &str, target: &str) -> String {
    format!("move {name} to {target}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Put> {
    let (name, target) = subtask.strip_prefix("move ")?.rsplit_once(" to ")?;
    Some(Put {
        name: name.to_owned(),
        target: target.to_owned(),
    })
}

impl Skill for Put {
    fn act(&self, view: &View, _progress: &str) -> Action {
        let target = view.find(&self.target);
        if target.is_some_and(|t| t.contains(&self.name)) {
            return Action::give_back();
        }
        if target.is_some_and(|t| t.open == Some(false)) {
            return Action::go_on(format!("open {}", self.target));
        }
        Action::finish(sentence(&self.name, &self.target))
    }
}
