//! `pick up X` and `pick up X from the C`: opens the container first when it is closed.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    name: String,
    container: Option<String>,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(name: &str) -> String {
    format!("pick up {name}")
}

/// The sentence for a thing that may be in a closed container.
#[must_use]
pub fn sentence_from(name: &str, container: &str) -> String {
    format!("pick up {name} from the {container}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Take> {
    let rest = subtask.strip_prefix("pick up ")?;
    let (name, container) = match rest.split_once(" from the ") {
        Some((name, container)) => (name, Some(container.to_owned())),
        None => (rest, None),
    };
    Some(Take {
        name: name.to_owned(),
        container,
    })
}

impl Skill for Take {
    fn act(&self, view: &View, _progress: &str) -> Action {
        if view.holds(&self.name) {
            return Action::give_back();
        }
        if let Some(container) = &self.container
            && view.find(container).is_some_and(|c| c.open == Some(false))
        {
            return Action::go_on(format!("open {container}"));
        }
        Action::finish(sentence(&self.name))
    }
}
