//! Waiting for a stage of life, then the focus on it.
//!
//! `wait until tadpole appears, then focus on tadpole common toad` for animals, whose stages are named in the room, and
//! `wait until apple tree is adult, then focus on it` for plants, whose stage is a state.

use stride_environments::scienceworld::view::View;
use stride_firmware_config::frame::NO_PROGRESS;

use super::{Action, Skill, focus, one_wait_more, wait};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// An animal in a stage.
    Animal {
        /// What the room shows.
        shown: String,
        /// The name for the focus: two kinds of butterflies look the same.
        name: String,
    },
    /// A plant in a pot.
    Plant {
        /// What the pot shows.
        shown: String,
        /// Its stage; a seed has none.
        state: Option<String>,
    },
}

/// How the progress starts once the focus is done.
pub const FOCUSED: &str = "Focused on ";

/// How every sentence of this skill starts.
pub const WAIT: &str = "wait until ";

const WAITED: &str = "Waited";
const APPEARS: &str = " appears, then focus on ";
const IS: &str = ", then focus on it";

/// The sentence for an animal: what the room shows, and the name for the focus.
#[must_use]
pub fn animal_sentence(shown: &str, name: &str) -> String {
    format!("{WAIT}{shown}{APPEARS}{name}")
}

/// The sentence for a plant: what a pot shows, and the stage unless it is a seed.
#[must_use]
pub fn plant_sentence(shown: &str, state: Option<&str>) -> String {
    match state {
        Some(state) => format!("{WAIT}{shown} is {state}{IS}"),
        None => format!("{WAIT}there is {shown}{IS}"),
    }
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Stage> {
    let rest = subtask.strip_prefix(WAIT)?;
    if let Some((shown, name)) = rest.split_once(APPEARS) {
        return Some(Stage::Animal {
            shown: shown.to_owned(),
            name: name.to_owned(),
        });
    }
    let rest = rest.strip_suffix(IS)?;
    if let Some(seed) = rest.strip_prefix("there is ") {
        return Some(Stage::Plant {
            shown: seed.to_owned(),
            state: None,
        });
    }
    let (plant, state) = rest.split_once(" is ")?;
    Some(Stage::Plant {
        shown: plant.to_owned(),
        state: Some(state.to_owned()),
    })
}

impl Stage {
    /// What the focus is on, once it is there.
    fn referent(&self, view: &View) -> Option<String> {
        match self {
            Self::Animal { shown, name } => view.find(shown).map(|_| name.clone()),
            Self::Plant { shown, state } => view
                .things
                .iter()
                .find(|pot| {
                    pot.contents()
                        .iter()
                        .any(|thing| thing.name == *shown && thing.state == *state)
                })
                .map(|pot| format!("{shown} in {}", pot.name)),
        }
    }
}

impl Skill for Stage {
    fn act(&self, view: &View, progress: &str) -> Action {
        if let Some(referent) = self.referent(view) {
            return Action::finish(focus::sentence(&referent));
        }
        // Animals keep a stage for eleven ticks: ten at once at first, then one at a time, so that none is missed.
        match self {
            Self::Animal { .. } if progress == NO_PROGRESS => Action::go_on("wait"),
            _ => wait("wait1", progress),
        }
    }

    fn rewrite(&self, view: &View, progress: &str, _action: &str) -> String {
        let waited = match self {
            Self::Animal { shown, .. } => shown.clone(),
            Self::Plant { shown, state } => {
                format!(
                    "{}{shown}",
                    state.as_deref().map_or(String::new(), |s| format!("{s} "))
                )
            }
        };
        if view.feedback.starts_with(focus::FOCUSED) {
            // The plant may have grown on in the meantime.
            format!("{FOCUSED}the {waited}.")
        } else if self.referent(view).is_some() {
            format!("There is {waited}.")
        } else {
            format!("{WAITED} {}; no {waited} yet.", one_wait_more(progress))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(subtask: &str, things: &str, progress: &str) -> String {
        let line = format!("outside: {things} | doors: kitchen open | holding: nothing");
        read(subtask)
            .unwrap()
            .act(&View::read(&line), progress)
            .to_string()
    }

    #[test]
    fn animals() {
        let toad = animal_sentence("tadpole", "tadpole common toad");
        assert_eq!(act(&toad, "frog egg", "None"), "wait; False");
        assert_eq!(
            act(&toad, "frog egg", "Waited once; no tadpole yet."),
            "wait1; False"
        );
        assert_eq!(
            act(&toad, "frog egg", "Waited twice; no tadpole yet."),
            "wait1; True"
        );
        assert_eq!(
            act(&toad, "tadpole; turtle egg", "None"),
            "focus on tadpole common toad; True"
        );
    }

    #[test]
    fn a_focus_counts_although_the_plant_grows_on() {
        let adult = read(&plant_sentence("apple tree", Some("adult"))).unwrap();
        let line = |feedback: &str| {
            let pot = "self watering flower pot 7 [apple tree reproducing, soil]";
            View::read(&format!(
                "{feedback} | outside: {pot} | doors: kitchen open | holding: nothing"
            ))
        };
        assert_eq!(
            adult.rewrite(
                &line("You focus on the apple tree."),
                "None",
                "focus on apple tree"
            ),
            "Focused on the adult apple tree."
        );
        let waited = adult.rewrite(
            &line("You decide to wait for 1 iterations."),
            "None",
            "wait1",
        );
        assert!(waited.starts_with(WAITED), "{waited}");
    }

    #[test]
    fn plants() {
        let pots = "self watering flower pot 2 [apple seed, soil]; self watering flower pot 5 [apple tree dead, soil]; \
                    self watering flower pot 7 [apple tree adult, soil]";
        assert_eq!(
            act(&plant_sentence("apple seed", None), pots, "None"),
            "focus on apple seed in self watering flower pot 2; True"
        );
        assert_eq!(
            act(&plant_sentence("apple tree", Some("adult")), pots, "None"),
            "focus on apple tree in self watering flower pot 7; True"
        );
        assert_eq!(
            act(
                &plant_sentence("apple tree", Some("reproducing")),
                pots,
                "None"
            ),
            "wait1; False"
        );
    }
}
