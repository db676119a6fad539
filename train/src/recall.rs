//! Recall exercises: samples that ask for many names at once.
//!
//! What a small network learns last is to look a name up: find the kind in a list and copy the number behind it, or notice
//! that the kind is not there. A demonstration asks for one such look-up among ten tokens or more; an exercise asks for half a
//! dozen in a row. It is a low-level frame of the layout with a subtask of its own, `recall mug, cd, cabinet`, over scenes and
//! kinds of the demonstrations, and its utterance is `mug 5, no cd, cabinet 20`: the first such name of the observation, `no` for
//! a kind that is not there, and the last number of a place of the scene.

use std::collections::BTreeSet;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stride_agent::places::{Name, NameList};
use stride_agent::transition::{FrameText, Transition};

use crate::error::{Result, TrainError};
use crate::expert::observation::names_in;

/// Highest number of an object, as in renumbering.
const HIGHEST: u32 = 9;

/// Makes `count` exercises from the scenes and kinds of `transitions`. The same transitions and seed give the same exercises.
///
/// # Errors
/// [`TrainError::NoData`] when the transitions name no scene or fewer than twenty kinds of objects.
pub fn exercises<'a>(
    transitions: impl IntoIterator<Item = &'a Transition>,
    count: usize,
    seed: u64,
) -> Result<Vec<Transition>> {
    let (scenes, kinds) = vocabulary(transitions);
    if scenes.is_empty() || kinds.len() < 20 {
        return Err(TrainError::NoData(format!(
            "recall exercises need scenes and at least 20 kinds of objects; the transitions hold {} and {}",
            scenes.len(),
            kinds.len()
        )));
    }
    Ok(drawn(count, seed, |rng| exercise(&scenes, &kinds, rng)))
}

/// `count` transitions of frames and answers that are drawn one after the other, each a game of its own.
pub(crate) fn drawn(
    count: usize,
    seed: u64,
    mut draw: impl FnMut(&mut ChaCha8Rng) -> (FrameText, String),
) -> Vec<Transition> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let transition = |index| {
        let (state, utterance) = draw(&mut rng);
        Transition {
            game: format!("recall:{index}"),
            ..Transition::for_cloning(state, utterance)
        }
    };
    (0..count).map(transition).collect()
}

fn vocabulary<'a>(
    transitions: impl IntoIterator<Item = &'a Transition>,
) -> (Vec<String>, Vec<String>) {
    let (mut scenes, mut kinds) = (BTreeSet::new(), BTreeSet::new());
    let mut places: BTreeSet<String> = BTreeSet::new();
    for transition in transitions {
        let frame = transition.state.as_frame();
        if scenes.insert(frame.scene().to_owned()) {
            let list: NameList = frame.scene().parse().unwrap_or_default();
            places.extend(list.kinds().map(str::to_owned));
        }
        if let Some((_, list)) = frame.observation().split_once("you see ") {
            kinds.extend(names_in(list).into_iter().map(|name| name.kind));
        }
    }
    scenes.retain(|scene| !scene.is_empty());
    (
        scenes.into_iter().collect(),
        kinds.difference(&places).cloned().collect(),
    )
}

/// A frame that asks, and its answer.
fn exercise(scenes: &[String], kinds: &[String], rng: &mut ChaCha8Rng) -> (FrameText, String) {
    let scene = scenes[rng.random_range(0..scenes.len())].clone();
    let places: NameList = scene.parse().unwrap_or_default();
    let named: Vec<(&str, u32)> = places.iter().collect();
    let place = named.choose(rng).map_or_else(
        || "desk 1".to_owned(),
        |(kind, number)| format!("{kind} {number}"),
    );
    let items = items(kinds, rng);
    let observation = observation(&place, &items, rng);

    let present = items.iter().map(|name| name.kind.as_str());
    let mut asked: Vec<&str> = present.collect::<BTreeSet<_>>().into_iter().collect();
    asked.shuffle(rng);
    asked.truncate(rng.random_range(2..=4));
    let absent = kinds
        .choose_multiple(rng, 8)
        .map(String::as_str)
        .filter(|kind| !items.iter().any(|name| name.kind == *kind))
        .take(rng.random_range(1..=2));
    asked.extend(absent);
    let mut furniture: Vec<&str> = places.kinds().collect();
    furniture.shuffle(rng);
    asked.extend(furniture.into_iter().take(rng.random_range(1..=3)));
    asked.shuffle(rng);

    let answers: Vec<String> = asked
        .iter()
        .map(|kind| answer(kind, &items, &places))
        .collect();
    let state = FrameText::Low {
        scene,
        observation,
        subtask: format!("recall {}", asked.join(", ")),
        progress: String::new(),
    };
    (state, answers.join(", "))
}

/// Four to fourteen names; some kinds come twice or three times, with numbers of their own.
fn items(kinds: &[String], rng: &mut ChaCha8Rng) -> Vec<Name> {
    let mut items: Vec<Name> = Vec::new();
    for _ in 0..rng.random_range(3..=10) {
        let Some(kind) = kinds.choose(rng) else {
            continue;
        };
        let copies = [1, 1, 1, 2, 2, 3].choose(rng).copied().unwrap_or(1);
        let mut numbers: Vec<u32> = (1..=HIGHEST).collect();
        numbers.shuffle(rng);
        if items.iter().all(|name| name.kind != *kind) {
            items.extend(numbers.into_iter().take(copies).map(|number| Name {
                kind: kind.clone(),
                number,
            }));
        }
    }
    items
}

/// The names in one of the sentences of the world.
fn observation(place: &str, items: &[Name], rng: &mut ChaCha8Rng) -> String {
    let mut list = String::new();
    for (i, name) in items.iter().enumerate() {
        let separator = match i {
            0 => "",
            _ if i + 1 == items.len() => ", and ",
            _ => ", ",
        };
        list.push_str(&format!("{separator}a {name}"));
    }
    match rng.random_range(0..4) {
        0 => format!("On the {place}, you see {list}."),
        1 => format!("You open the {place}. The {place} is open. In it, you see {list}."),
        _ => format!("You arrive at {place}. On the {place}, you see {list}."),
    }
}

fn answer(kind: &str, items: &[Name], places: &NameList) -> String {
    match (
        items.iter().find(|name| name.kind == kind),
        places.numbers(kind).last(),
    ) {
        (Some(name), _) => name.to_string(),
        (None, Some(number)) => format!("{kind} {number}"),
        (None, None) => format!("no {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stride_agent::transition::{EndKind, Source};

    fn demonstrations() -> Vec<Transition> {
        let list: Vec<String> = (0..30)
            .map(|i| {
                let letter = |n: u8| char::from(b'a' + n);
                format!("a thing{}{} 1", letter(i / 26), letter(i % 26))
            })
            .collect();
        let state = FrameText::Low {
            scene: "cabinet 1 to 20, desk 1".into(),
            observation: format!("On the desk 1, you see {}.", list.join(", ")),
            subtask: String::new(),
            progress: String::new(),
        };
        vec![Transition {
            game: "g".into(),
            subtask_index: 0,
            step_index: 0,
            state,
            utterance: String::new(),
            reward: 0.0,
            span: 1,
            done: true,
            next: None,
            source: Source::Expert,
            end: EndKind::Success,
        }]
    }

    #[test]
    fn answers_are_what_the_frame_says() {
        let made = exercises(&demonstrations(), 200, 3).unwrap();
        let (mut absent, mut last) = (0, 0);
        for transition in &made {
            let FrameText::Low {
                observation,
                subtask,
                ..
            } = &transition.state
            else {
                panic!("exercises are low-level frames");
            };
            let asked = subtask.strip_prefix("recall ").unwrap().split(", ");
            for (kind, answer) in asked.zip(transition.utterance.split(", ")) {
                if let Some(missing) = answer.strip_prefix("no ") {
                    assert_eq!(missing, kind);
                    assert!(!observation.contains(&format!("a {kind} ")));
                    absent += 1;
                } else if kind == "cabinet" {
                    assert_eq!(answer, "cabinet 20");
                    last += 1;
                } else if kind != "desk" {
                    let at = observation.find(&format!("a {kind} ")).unwrap();
                    assert!(
                        observation[at + 2..].starts_with(answer),
                        "the first of its kind"
                    );
                }
            }
        }
        assert!(absent > 50 && last > 50);
        assert_eq!(made, exercises(&demonstrations(), 200, 3).unwrap());
    }

    #[test]
    fn too_little_to_ask_about_is_refused() {
        assert!(exercises(&[], 1, 0).is_err());
    }
}
