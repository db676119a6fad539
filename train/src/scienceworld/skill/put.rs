//! `move X to Y`: one action; Y is opened first when it is closed.

use stride_environments::scienceworld::view::{Thing, View};

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
        if target.is_some_and(Thing::is_closed) {
            return Action::go_on(format!("open {}", self.target));
        }
        Action::finish(sentence(&self.name, &self.target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_target_is_opened_first() {
        let put = read("move recipe to the moon to red box").unwrap();
        assert_eq!(
            (put.name.as_str(), put.target.as_str()),
            ("recipe to the moon", "red box")
        );
        let put = read(&sentence("ice", "freezer")).unwrap();
        let act = |freezer: &str| {
            let line = format!("kitchen: freezer {freezer} | doors: hallway open | holding: ice");
            put.act(&View::read(&line), "None").to_string()
        };
        assert_eq!(act("closed"), "open freezer; False");
        assert_eq!(act("open []"), "move ice to freezer; True");
        assert_eq!(act("open [ice]"), "look around; True");
        assert!(read("move ice").is_none() && read("pour ice to freezer").is_none());
    }
}
