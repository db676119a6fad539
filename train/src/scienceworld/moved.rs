//! Drills of searches in rooms where everything lies where it never does.
//!
//! In the demonstrations ice is in the freezer and rubber nowhere, so a network learns where the words it knows belong and looks
//! only for those that it does not know. Here every word of the demonstrations is the name of anything, anywhere, and as often of
//! nothing: only the look itself tells.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use stride_agent::transition::{FrameText, Transition};
use stride_environments::scienceworld::view::{Thing, View};

use super::skill::search;
use super::words;

/// Share of the things that get another name.
const RENAMED: f64 = 0.6;

/// What the drills are made of.
#[derive(Debug)]
pub(super) struct Moved<'a> {
    /// Frames, by room: every room comes up as often.
    rooms: Vec<Vec<&'a FrameText>>,
    /// Every word of the demonstrations.
    words: Vec<String>,
}

impl<'a> Moved<'a> {
    /// Reads rooms and words.
    pub(super) fn new(transitions: &'a [Transition]) -> Self {
        let mut rooms: BTreeMap<String, Vec<&FrameText>> = BTreeMap::new();
        let mut words = BTreeSet::new();
        let mut last = "";
        for transition in transitions {
            if let FrameText::High { task, .. } = &transition.state {
                words.extend(words_of(task));
            }
            let observation = match &transition.state {
                FrameText::High { observation, .. }
                | FrameText::Low { observation, .. }
                | FrameText::Progress { observation, .. } => observation.as_str(),
            };
            // The calls of one step share their observation.
            if observation != last {
                last = observation;
                words.extend(words_of(observation));
                let room = View::read(observation).room;
                rooms.entry(room).or_default().push(&transition.state);
            }
        }
        rooms.remove("");
        Self {
            rooms: rooms.into_values().collect(),
            words: words.into_iter().collect(),
        }
    }

    /// A name: mostly one word that the demonstrations know, in any meaning.
    pub(super) fn name(&self, rng: &mut ChaCha8Rng) -> String {
        let mut word = || self.words.choose(rng).cloned();
        match (word(), word()) {
            (Some(one), Some(other)) => match rng.random_range(0..20) {
                0..13 => one,
                13..17 => format!("{one} {other}"),
                _ => words::name(rng),
            },
            _ => words::name(rng),
        }
    }

    /// A room whose things have other names; `None` when the demonstrations show none.
    pub(super) fn room(&self, rng: &mut ChaCha8Rng) -> Option<View> {
        let mut view = View::read(
            self.rooms
                .choose(rng)?
                .choose(rng)?
                .as_frame()
                .observation(),
        );
        let View {
            things, holding, ..
        } = &mut view;
        for thing in things.iter_mut().chain(holding.iter_mut()) {
            self.rename(thing, rng);
        }
        Some(view)
    }

    fn rename(&self, thing: &mut Thing, rng: &mut ChaCha8Rng) {
        for inside in thing.contents.iter_mut().flatten() {
            self.rename(inside, rng);
        }
        // Vessels, places and machines keep their names: it is what they hold that is looked for.
        let is_plain = thing.contents.is_none() && thing.open.is_none() && thing.state.is_none();
        if is_plain && rng.random_bool(RENAMED) {
            thing.name = self.name(rng);
        }
    }
}

/// Two things of one name, one of which was just taken: the search is over, although the other is still there.
pub(super) fn twice(mut view: View, rng: &mut ChaCha8Rng) -> Vec<FrameText> {
    let plain: Vec<Thing> = view
        .things
        .iter()
        .filter(|thing| thing.contents.is_none() && thing.open.is_none())
        .cloned()
        .collect();
    let Some(thing) = plain.choose(rng) else {
        return Vec::new();
    };
    view.feedback = format!("You move the {} to the inventory.", thing.name);
    view.holding.push(thing.clone());
    let observation = view.to_string();
    let subtask = search::sentence(&thing.name);
    let progress = format!("The {} is here.", thing.name);
    let action = if rng.random_bool(0.5) {
        "0".to_owned()
    } else {
        format!("pick up {}", thing.name)
    };
    vec![
        FrameText::Progress {
            scene: String::new(),
            observation: observation.clone(),
            subtask: subtask.clone(),
            progress: progress.clone(),
            action,
        },
        FrameText::Low {
            scene: String::new(),
            observation,
            subtask,
            progress,
        },
    ]
}

fn words_of(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_alphabetic());
    let words = words.filter(|word| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase()));
    words.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use stride_agent::transition::Transition;

    use super::*;

    fn demonstrations() -> Vec<Transition> {
        [
            "kitchen: freezer open [ice]; table [glass cup [water], soap] | doors: hallway open | holding: orange",
            "workshop: battery; rubber; table [wire, tin] | doors: hallway open | holding: nothing",
        ]
        .map(|observation| {
            let state = FrameText::Low {
                scene: String::new(),
                observation: observation.into(),
                subtask: "find and take ice".into(),
                progress: String::new(),
            };
            Transition::for_cloning(state, String::new())
        })
        .to_vec()
    }

    #[test]
    fn known_words_lie_anywhere_and_vessels_stay() {
        let demonstrations = demonstrations();
        let moved = Moved::new(&demonstrations);
        assert_eq!(moved.rooms.len(), 2);
        assert!(moved.words.contains(&"rubber".to_owned()));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut elsewhere, mut kitchens) = (0, 0);
        for _ in 0..400 {
            let view = moved.room(&mut rng).unwrap();
            if view.room == "kitchen" {
                kitchens += 1;
                assert!(view.find("glass cup").is_some() && view.find("freezer").is_some());
                elsewhere += usize::from(view.find("rubber").is_some());
            }
        }
        assert!((150..250).contains(&kitchens), "{kitchens}");
        assert!(elsewhere > 0, "rubber was never in the kitchen");
    }

    #[test]
    fn what_is_held_is_found_although_another_lies_there() {
        let demonstrations = demonstrations();
        let moved = Moved::new(&demonstrations);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let view = View::read(demonstrations[1].state.as_frame().observation());
        let frames = twice(view, &mut rng);
        let said: Vec<String> = frames
            .iter()
            .map(|frame| super::super::Expert.answer(&frame.as_frame()).unwrap())
            .collect();
        assert_eq!(said[1], "look around; True", "{frames:?}");
        assert!(said[0].ends_with(" is held."), "{}", said[0]);
        assert!(!moved.name(&mut rng).is_empty());
    }
}
