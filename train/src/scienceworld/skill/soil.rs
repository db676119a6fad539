//! `fill flower pot 1 and flower pot 2 with soil`: takes soil that lies in the greenhouse, or digs it up outside.
//!
//! The empty pots are carried outside: loose soil could not be told from soil in a pot when it were carried instead.
//! Progress: which pots are filled (method section 8, mode C).

use stride_environments::scienceworld::view::{Place, View};

use crate::scienceworld::house::{GREENHOUSE, OUTSIDE};

use super::{Action, Skill, go, noted, said, with_note};

/// What is filled in.
pub const SOIL: &str = "soil";
const SHOVEL: &str = "shovel";
/// What the progress calls the pots with soil.
const FILLED: &str = "Filled";

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    pots: Vec<String>,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(pots: &[&str]) -> String {
    format!("fill {} with soil", pots.join(" and "))
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Fill> {
    let pots = subtask.strip_prefix("fill ")?.strip_suffix(" with soil")?;
    Some(Fill {
        pots: pots.split(" and ").map(str::to_owned).collect(),
    })
}

/// Whether a pot is seen, and without soil.
#[must_use]
pub fn lacks_soil(view: &View, pot: &str) -> bool {
    view.find(pot).is_some_and(|pot| !pot.contains(SOIL))
}

impl Skill for Fill {
    fn act(&self, view: &View, _progress: &str) -> Action {
        let empty: Vec<&str> = self
            .pots
            .iter()
            .map(String::as_str)
            .filter(|pot| lacks_soil(view, pot))
            .collect();
        let Some(&pot) = empty.first() else {
            return Action::give_back();
        };
        if let Some(soil) = loose_soil(view) {
            let command = format!("move soil in {soil} to {pot}");
            return if empty.len() == 1 {
                Action::finish(command)
            } else {
                Action::go_on(command)
            };
        }
        if view.room == OUTSIDE {
            if view.find(SHOVEL).is_some() {
                return Action::go_on("use shovel on ground");
            }
            return walk(view, GREENHOUSE);
        }
        let left = empty.iter().copied().find(|pot| !view.holds(pot));
        let shovel = matches!(view.place_of(SHOVEL), Some(Place::Room)).then_some(SHOVEL);
        match left.or(shovel) {
            Some(name) => Action::go_on(format!("pick up {name}")),
            None => walk(view, OUTSIDE),
        }
    }

    fn rewrite(&self, view: &View, progress: &str, _action: &str) -> String {
        let before = noted(progress, FILLED).unwrap_or_default();
        let filled: Vec<&str> = self
            .pots
            .iter()
            .map(String::as_str)
            .filter(|pot| match view.find(pot) {
                Some(pot) => pot.contains(SOIL),
                // A pot that stands elsewhere is as it was.
                None => before.split(", ").any(|name| name == *pot),
            })
            .collect();
        with_note(&said(view), FILLED, &filled.join(", "))
    }
}

fn walk(view: &View, room: &str) -> Action {
    go::step(view, room).map_or_else(Action::give_back, Action::go_on)
}

/// Where soil lies by itself, as an action names the place.
fn loose_soil(view: &View) -> Option<&str> {
    match view.place_of(SOIL)? {
        Place::Room => Some(&view.room),
        Place::Held => Some("inventory"),
        Place::In(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(observation: &str) -> String {
        let both = sentence(&["flower pot 1", "flower pot 2"]);
        read(&both)
            .unwrap()
            .act(&View::read(observation), "None")
            .to_string()
    }

    #[test]
    fn digs_outside() {
        assert_eq!(
            act(
                "greenhouse: flower pot 1 []; flower pot 2 []; shovel | doors: outside closed | holding: nothing"
            ),
            "pick up flower pot 1; False"
        );
        assert_eq!(
            act(
                "greenhouse: shovel | doors: outside closed | holding: flower pot 1 [], flower pot 2 []"
            ),
            "pick up shovel; False"
        );
        assert_eq!(
            act(
                "greenhouse: sink off [] | doors: outside closed | holding: flower pot 1 [], flower pot 2 []"
            ),
            "open door to outside; False"
        );
        assert_eq!(
            act(
                "outside: ground; shovel | doors: greenhouse open | holding: flower pot 1 [], flower pot 2 []"
            ),
            "use shovel on ground; False"
        );
        assert_eq!(
            act(
                "outside: soil; shovel | doors: greenhouse open | holding: flower pot 1 [soil], flower pot 2 []"
            ),
            "move soil in outside to flower pot 2; True"
        );
    }

    #[test]
    fn soil_that_lies_there_comes_first() {
        assert_eq!(
            act(
                "greenhouse: flower pot 1 []; flower pot 2 []; soil | doors: outside closed | holding: nothing"
            ),
            "move soil in greenhouse to flower pot 1; False"
        );
        assert_eq!(
            act(
                "greenhouse: flower pot 1 [soil]; flower pot 2 [soil] | doors: outside closed | holding: nothing"
            ),
            "look around; True"
        );
    }

    #[test]
    fn filled_pots_stay_in_the_progress() {
        let fill = read("fill flower pot 1 and flower pot 2 with soil").unwrap();
        let one = View::read(
            "Done. | greenhouse: flower pot 1 [soil]; flower pot 2 [] | doors: outside open | holding: nothing",
        );
        let progress = fill.rewrite(&one, "None", "");
        assert!(progress.ends_with("[Filled: flower pot 1]"), "{progress}");
        let out = View::read(
            "You move to the outside. | outside: ground | doors: greenhouse open | holding: flower pot 2 []",
        );
        let progress = fill.rewrite(&out, &progress, "");
        assert!(progress.ends_with("[Filled: flower pot 1]"), "{progress}");
    }
}
