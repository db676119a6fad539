//! `pick up X` and `pick up X from the C`: opens the container first when it is closed.

use stride_environments::scienceworld::view::{Thing, View};

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
            && view.find(container).is_some_and(Thing::is_closed)
        {
            return Action::go_on(format!("open {container}"));
        }
        Action::finish(sentence(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(subtask: &str, observation: &str) -> String {
        let view = View::read(observation);
        read(subtask).unwrap().act(&view, "None").to_string()
    }

    #[test]
    fn a_closed_container_is_opened_first() {
        let subtask = sentence_from("metal pot", "cupboard");
        let kitchen = |cupboard: &str, holding: &str| {
            format!("kitchen: cupboard {cupboard} | doors: hallway open | holding: {holding}")
        };
        assert_eq!(
            act(&subtask, &kitchen("closed", "orange")),
            "open cupboard; False"
        );
        assert_eq!(
            act(&subtask, &kitchen("open [metal pot []]", "orange")),
            "pick up metal pot; True"
        );
        assert_eq!(
            act(&subtask, &kitchen("open []", "metal pot []")),
            "look around; True"
        );
        assert_eq!(
            act("pick up orange", &kitchen("closed", "nothing")),
            "pick up orange; True"
        );
        assert!(read("find and take ice").is_none());
    }
}
