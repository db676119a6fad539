//! `find a(n) plant. First, focus on the thing. Then, move it to the red box in the kitchen.`
//!
//! Four tasks: a plant, an animal, a living thing or a non-living thing. In the training variations
//! animals are outside and plants in the greenhouse; a non-living thing is taken where the box stands.

use stride_environments::scienceworld::view::{Thing, View};

use crate::scienceworld::house::{GREENHOUSE, OUTSIDE, WORKSHOP};
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{focus, go, put, take};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    kind: Kind,
    bin: String,
    room: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plant,
    Animal,
    NonLiving,
}

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let rest = task.strip_prefix("find a(n) ")?;
    let (kind, rest) = rest.split_once(". First, focus on the thing. Then, move it to the ")?;
    let kind = match kind {
        "plant" => Kind::Plant,
        // Every animal is a living thing.
        "animal" | "living thing" => Kind::Animal,
        "non-living thing" => Kind::NonLiving,
        _ => return None,
    };
    let (bin, room) = rest.trim_end_matches('.').split_once(" in the ")?;
    Some(Goal {
        kind,
        bin: bin.to_owned(),
        room: room.to_owned(),
    })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        let Some(focused) = focused(s) else {
            return self.choose(s);
        };
        let carried = match self.kind {
            Kind::Plant => s
                .view
                .everything()
                .find(|t| t.contains(focused))
                .map(|t| t.name.as_str()),
            _ => Some(focused),
        };
        let carried = carried.unwrap_or(focused);
        if self.kind == Kind::NonLiving {
            return put::sentence(carried, &self.bin);
        }
        if !s.view.holds(carried) {
            if s.view.find(carried).is_none() {
                return go::sentence(self.kind.home());
            }
            return take::sentence(carried);
        }
        if !s.is_in(&self.room) {
            return go::sentence(&self.room);
        }
        put::sentence(carried, &self.bin)
    }

    fn choose(&self, s: &Situation<'_>) -> String {
        let home = match self.kind {
            Kind::NonLiving => &self.room,
            _ => self.kind.home(),
        };
        if !s.is_in(home) {
            return go::sentence(home);
        }
        match self.kind.first(&s.view) {
            Some(thing) => focus::sentence(&thing.name),
            None => go::sentence(home),
        }
    }
}

/// The thing in focus, from the issued subtasks.
fn focused<'a>(s: &Situation<'a>) -> Option<&'a str> {
    s.completed
        .iter()
        .filter_map(|text| text.strip_prefix("focus on "))
        .last()
}

impl Kind {
    fn home(self) -> &'static str {
        match self {
            Self::Plant => GREENHOUSE,
            Self::Animal => OUTSIDE,
            Self::NonLiving => WORKSHOP,
        }
    }

    fn first(self, view: &View) -> Option<&Thing> {
        match self {
            Self::Plant => view
                .things
                .iter()
                .flat_map(Thing::contents)
                .find(|thing| thing.state.is_some() && thing.name != "seed"),
            Self::Animal => view.things.iter().find(|thing| is_animal(thing)),
            // The first that can be moved and is not a box itself.
            Self::NonLiving => view
                .things
                .iter()
                .find(|thing| !thing.name.ends_with(" box") && thing.name != "bathtub"),
        }
    }
}

/// Eggs count as the animal (method section 8).
fn is_animal(thing: &Thing) -> bool {
    let name = thing.name.as_str();
    name.ends_with(" egg") || name.starts_with("baby ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scienceworld::families::testing;

    fn next(kind: &str, observation: &str, issued: &[&str]) -> String {
        let task = format!(
            "find a(n) {kind}. First, focus on the thing. Then, move it to the red box in the kitchen."
        );
        let line = format!("{observation} | doors: hallway open | holding: nothing");
        testing::next(&task, &line, issued, "None")
    }

    #[test]
    fn an_animal_is_carried_to_its_box() {
        let outside = "outside: fountain [water]; blue jay egg; wood";
        let focused = ["focus on blue jay egg"];
        assert_eq!(
            next("animal", "kitchen: red box []", &[]),
            "go to the outside"
        );
        assert_eq!(next("living thing", outside, &[]), focused[0]);
        assert_eq!(next("animal", outside, &focused), "pick up blue jay egg");
        assert_eq!(
            next("animal", "hallway: picture", &focused),
            "go to the outside"
        );
    }

    #[test]
    fn a_plant_is_carried_in_its_pot() {
        let greenhouse = "greenhouse: flower pot 1 [soil]; flower pot 2 [pea plant adult, soil]";
        let focused = ["focus on pea plant"];
        assert_eq!(next("plant", greenhouse, &[]), focused[0]);
        assert_eq!(next("plant", greenhouse, &focused), "pick up flower pot 2");
    }

    #[test]
    fn a_thing_is_chosen_beside_its_box() {
        let kitchen = "kitchen: red box []; chair []; table []";
        assert_eq!(
            next("non-living thing", "hallway: picture", &[]),
            "go to the kitchen"
        );
        assert_eq!(next("non-living thing", kitchen, &[]), "focus on chair");
        assert_eq!(
            next("non-living thing", kitchen, &["focus on chair"]),
            "move chair to red box"
        );
        assert!(read("find a(n) unicorn. First, focus on the thing. Then, move it to the red box in the kitchen.").is_none());
        assert!(read("find a(n) plant. First, focus on the thing.").is_none());
    }
}
