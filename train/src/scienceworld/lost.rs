//! Drills in which a substance is not where it usually is.
//!
//! In the demonstrations every substance that is to be boiled, melted or frozen is found in the kitchen; a policy that learnt from
//! these alone opens everything there and then has no other thought. These frames begin where that ends: the kitchen with
//! open doors, and the rooms that come next ([`SEARCHED`]), the substance in sight, in hand or nowhere.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use stride_agent::transition::{FrameText, Transition};
use stride_environments::scienceworld::view::{Thing, View};
use stride_firmware_config::capacity;
use stride_firmware_config::state::Completed;

use super::drills::Naming;
use super::families::state_of_matter::{self, SEARCHED};
use super::house;
use super::skill::{go, search, vessel};

/// What the drills are made of.
#[derive(Debug)]
pub(super) struct Lost<'a> {
    /// High-level frames of tasks with a substance, other than water.
    asked: Vec<&'a FrameText>,
    /// Frames in each of the rooms.
    rooms: Vec<(&'static str, Vec<&'a FrameText>)>,
}

impl<'a> Lost<'a> {
    /// Picks the frames.
    pub(super) fn new(transitions: &'a [Transition]) -> Self {
        let asked = transitions.iter().map(|transition| &transition.state);
        let asked = asked
            .filter(
                |state| matches!(state, FrameText::High { task, .. } if substance(task).is_some()),
            )
            .collect();
        let rooms = SEARCHED.into_iter().map(|room| {
            let start = format!("{room}: ");
            // Behind the feedback, if there is any.
            let later = format!(" | {start}");
            let there = transitions.iter().map(|transition| &transition.state);
            let there = there.filter(|state| {
                let frame = state.as_frame();
                let observation = frame.observation();
                observation.starts_with(&start) || observation.contains(&later)
            });
            (room, there.collect::<Vec<_>>())
        });
        Self {
            asked,
            rooms: rooms.filter(|(_, there)| !there.is_empty()).collect(),
        }
    }

    /// A recorded high-level frame of a task with a substance.
    pub(super) fn asked(&self, rng: &mut ChaCha8Rng) -> Option<&'a FrameText> {
        self.asked.choose(rng).copied()
    }

    /// One frame; `None` when the demonstrations have no such task.
    pub(super) fn frame(&self, name: &Naming<'_>, rng: &mut ChaCha8Rng) -> Option<FrameText> {
        let asked = self.asked.choose(rng)?;
        let FrameText::High { task, .. } = asked else {
            return None;
        };
        let old = substance(task)?;
        let new = name(rng);
        let FrameText::High {
            scene,
            observation,
            task,
            completed,
            progress,
        } = asked.edited(&mut |text| text.replace(&old, &new))
        else {
            return None;
        };
        // Nearly always the rooms that are searched first.
        let most = if rng.random_bool(0.8) {
            2
        } else {
            self.rooms.len()
        };
        let at = rng.random_range(0..most.min(self.rooms.len()).max(1));
        let (room, there) = self.rooms.get(at)?;
        let holding = View::read(&observation).holding;
        let mut view = View::read(there.choose(rng)?.as_frame().observation());
        view.holding = holding;
        let open = rng.random_range(0.0..=1.0);
        for thing in &mut view.things {
            if thing.is_closed() && (open > 0.4 || rng.random_bool(open)) {
                thing.open = Some(true);
                thing.contents = Some(Vec::new());
            }
        }
        if rng.random_bool(0.4) {
            put_in_sight(&mut view, &new, rng);
        }
        // The record goes on where it was, or the search has just begun.
        let (completed, progress) = if rng.random_bool(0.2) {
            (completed, progress)
        } else {
            self.searched(at, room, &new, &mut view, rng)
        };
        Some(FrameText::High {
            scene,
            observation: view.to_string(),
            task,
            completed,
            progress,
        })
    }

    /// The subtasks of a search that has come to this room, and the last one's progress.
    fn searched(
        &self,
        at: usize,
        room: &str,
        name: &str,
        view: &mut View,
        rng: &mut ChaCha8Rng,
    ) -> (Box<Completed>, String) {
        let mut completed = Completed::new();
        let mut push = |subtask: &str| completed.push(subtask, capacity::COMPLETED);
        for (before, _) in &self.rooms[..at] {
            push(&go::sentence(before));
            if *before == house::KITCHEN || rng.random_bool(0.3) {
                push(&search::sentence(name));
            }
        }
        push(&go::sentence(room));
        view.feedback = format!("You move to the {room}.");
        let mut progress = format!("Now in the {room}. || [Route: hallway -> {room}]");
        if rng.random_bool(0.5) {
            push(&search::sentence(name));
            view.feedback.clear();
            let seen = view
                .everything()
                .any(|thing| vessel::is_form(&thing.name, name));
            let opened = view.things.iter().filter(|thing| thing.open == Some(true));
            let opened: Vec<&str> = opened.map(|thing| thing.name.as_str()).collect();
            progress = if seen {
                format!("The {name} is held.")
            } else {
                search::nowhere(name, &opened.join(", "))
            };
        }
        (Box::new(completed), progress)
    }
}

/// Puts the thing into the room, on something there, or into the hands.
pub(super) fn put_in_sight(view: &mut View, name: &str, rng: &mut ChaCha8Rng) {
    let thing = Thing {
        name: name.to_owned(),
        ..Thing::default()
    };
    put(view, thing, rng);
}

/// As [`put_in_sight`], for a thing that holds others.
pub(super) fn put(view: &mut View, thing: Thing, rng: &mut ChaCha8Rng) {
    match rng.random_range(0..4) {
        0 => view.holding.push(thing),
        1 => {
            let mut holders: Vec<&mut Thing> = view
                .things
                .iter_mut()
                .filter(|thing| thing.contents.is_some())
                .collect();
            let at = rng.random_range(0..holders.len().max(1));
            if let Some(contents) = holders.get_mut(at).and_then(|h| h.contents.as_mut()) {
                contents.push(thing);
            } else {
                view.things.push(thing);
            }
        }
        _ => {
            let at = rng.random_range(0..=view.things.len());
            view.things.insert(at, thing);
        }
    }
}

/// The substance of a task, unless it is water, which is not looked for and has names that are parts of others.
pub(super) fn substance(task: &str) -> Option<String> {
    let goal = state_of_matter::read(task)?;
    let name = goal.substance();
    (!vessel::is_form(name, "water")).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;

    use super::*;
    use crate::scienceworld::{Expert, recall};

    fn demonstrations() -> Vec<Transition> {
        let high = |task: &str| {
            FrameText::High {
            scene: String::new(),
            observation: "The fridge is now open. | kitchen: cupboard closed; fridge open [chocolate] | doors: hallway open | \
                holding: orange"
                .into(),
            task: task.into(),
            completed: Box::default(),
            progress: String::new(),
        }
        };
        let low = |observation: &str| FrameText::Low {
            scene: String::new(),
            observation: observation.into(),
            subtask: "go to the workshop".into(),
            progress: String::new(),
        };
        let frames = [
            high("melt chocolate. First, focus on the substance."),
            high("melt water. First, focus on the substance."),
            low("workshop: battery; box closed | doors: hallway open | holding: orange"),
            low(
                "You move to the living room. | living room: couch | doors: hallway open | holding: orange",
            ),
        ];
        let transition = |state| Transition::for_cloning(state, String::new());
        frames.into_iter().map(transition).collect()
    }

    #[test]
    fn what_is_not_seen_is_searched_for_here_or_elsewhere() {
        let demonstrations = demonstrations();
        let lost = Lost::new(&demonstrations);
        assert_eq!(lost.asked.len(), 1, "water is not looked for");
        let rooms: Vec<&str> = lost.rooms.iter().map(|(room, _)| *room).collect();
        assert_eq!(rooms, ["kitchen", "workshop", "living room"]);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let known = ["tin".to_owned()];
        let mut said = BTreeSet::new();
        for _ in 0..500 {
            let frame = lost
                .frame(&|rng| recall::any(&known, rng), &mut rng)
                .unwrap();
            let FrameText::High {
                task, observation, ..
            } = &frame
            else {
                panic!("a search is planned by the high level");
            };
            let name = substance(task).unwrap();
            assert!(!task.contains("chocolate"), "{task}");
            let view = View::read(observation);
            let label = Expert.answer(&frame.as_frame()).unwrap();
            let seen = view
                .everything()
                .any(|thing| vessel::is_form(&thing.name, &name));
            if !seen {
                let searches = label == search::sentence(&name);
                let leaves = label.starts_with("go to the ") && !label.ends_with(&view.room);
                assert!(searches || leaves, "{frame:?}: {label}");
            }
            said.insert(label.replace(&name, "X"));
        }
        for label in [
            "go to the workshop",
            "go to the living room",
            "find and take X",
        ] {
            assert!(said.contains(label), "{label}: {said:?}");
        }
    }
}
