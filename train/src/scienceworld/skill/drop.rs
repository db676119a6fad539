//! `drop X`: one action.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutDown {
    name: String,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(name: &str) -> String {
    format!("drop {name}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<PutDown> {
    subtask.strip_prefix("drop ").map(|name| PutDown {
        name: name.to_owned(),
    })
}

impl Skill for PutDown {
    fn act(&self, view: &View, _progress: &str) -> Action {
        if view.holds(&self.name) {
            Action::finish(sentence(&self.name))
        } else {
            Action::give_back()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_what_is_held() {
        let drop = read("drop solar panel").unwrap();
        let held = View::read("outside: axe | doors:  | holding: solar panel");
        assert_eq!(
            drop.act(&held, "None").to_string(),
            "drop solar panel; True"
        );
        let there = View::read("outside: axe; solar panel | doors:  | holding: nothing");
        assert_eq!(drop.act(&there, "None").to_string(), "look around; True");
    }
}
