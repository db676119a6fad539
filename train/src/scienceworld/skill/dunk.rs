//! `dunk V into F`: one action that fills the vessel V with the liquid in F.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dunk {
    vessel: String,
    source: String,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(vessel: &str, source: &str) -> String {
    format!("dunk {vessel} into {source}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Dunk> {
    let (vessel, source) = subtask.strip_prefix("dunk ")?.split_once(" into ")?;
    Some(Dunk {
        vessel: vessel.to_owned(),
        source: source.to_owned(),
    })
}

impl Skill for Dunk {
    fn act(&self, view: &View, _progress: &str) -> Action {
        let empty = view
            .find(&self.vessel)
            .is_some_and(|vessel| vessel.contents().is_empty());
        if empty {
            Action::finish(sentence(&self.vessel, &self.source))
        } else {
            Action::give_back()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_an_empty_vessel_only() {
        let dunk = read("dunk metal pot into fountain").unwrap();
        let outside = |pot: &str| {
            View::read(&format!(
                "outside: fountain [water] | doors: kitchen open | holding: metal pot {pot}"
            ))
        };
        assert_eq!(
            dunk.act(&outside("[]"), "None").to_string(),
            "dunk metal pot into fountain; True"
        );
        assert_eq!(
            dunk.act(&outside("[water]"), "None").to_string(),
            "look around; True"
        );
    }
}
