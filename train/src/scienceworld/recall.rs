//! Recall exercises in the form of ScienceWorld's views: where are these things?
//!
//! What a small network learns last is to copy a name that it has not met, and to say which thing holds another. A demonstration
//! asks for one such look-up among ten tokens or more; an exercise asks for half a dozen in a row. It is a frame of the layout
//! that asks `recall A, B, C`, over rooms filled with names of the demonstrations and with names that nobody knows, and its
//! utterance is `A in tin cup, B closed, C nowhere, D holds E and F`: what stands behind the first thing of that name. Half of the exercises are
//! low-level frames, half high-level ones with the question as their task.

use std::collections::BTreeSet;

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use stride_agent::transition::{FrameText, Transition};
use stride_environments::scienceworld::view::{Door, Place, Thing, View};

use super::house::ROOMS;
use super::words;
use crate::error::{Result, TrainError};
use crate::recall::drawn;

/// Kinds of things that the demonstrations must show at least.
const FEWEST: usize = 20;

/// Makes `count` exercises with the names of `transitions`. The same transitions and seed give the same exercises.
///
/// # Errors
/// [`TrainError::NoData`] when the transitions show fewer than twenty kinds of things.
pub fn exercises<'a>(
    transitions: impl IntoIterator<Item = &'a Transition>,
    count: usize,
    seed: u64,
) -> Result<Vec<Transition>> {
    let known = names(transitions)?;
    Ok(drawn(count, seed, |rng| exercise(&known, rng)))
}

/// The names of all things in sight.
///
/// # Errors
/// As [`exercises`].
pub(super) fn names<'a>(
    transitions: impl IntoIterator<Item = &'a Transition>,
) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    let mut last = "";
    for transition in transitions {
        let observation = match &transition.state {
            FrameText::High { observation, .. }
            | FrameText::Low { observation, .. }
            | FrameText::Progress { observation, .. } => observation.as_str(),
        };
        // The calls of one step share their observation.
        if observation != last {
            let view = View::read(observation);
            names.extend(view.everything().map(|thing| thing.name.clone()));
            last = observation;
        }
    }
    let known: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if known.len() < FEWEST {
        return Err(TrainError::NoData(format!(
            "recall exercises need at least {FEWEST} kinds of things; the transitions show {}",
            known.len()
        )));
    }
    Ok(known)
}

/// A room in which every name stands once: one that stood twice would have two answers.
pub(super) fn clear_room(known: &[String], rng: &mut ChaCha8Rng) -> View {
    loop {
        let view = room(known, rng);
        let mut names = BTreeSet::new();
        if view.everything().all(|thing| names.insert(&thing.name)) {
            return view;
        }
    }
}

/// A frame that asks, and its answer.
fn exercise(known: &[String], rng: &mut ChaCha8Rng) -> (FrameText, String) {
    let view = clear_room(known, rng);
    let mut asked: Vec<String> = view.everything().map(|thing| thing.name.clone()).collect();
    asked.shuffle(rng);
    asked.truncate(rng.random_range(3..=5));
    // What is not there, some of it under a name like that of something that is.
    for _ in 0..rng.random_range(1..=2) {
        asked.push(match asked.first() {
            Some(other) if rng.random_bool(0.5) => words::similar(other, rng),
            _ => any(known, rng),
        });
    }
    asked.shuffle(rng);
    asked.dedup();
    let answers: Vec<String> = asked.iter().map(|name| answer(&view, name)).collect();
    let question = format!("recall {}", asked.join(", "));
    let observation = view.to_string();
    let state = if rng.random_bool(0.5) {
        FrameText::Low {
            scene: String::new(),
            observation,
            subtask: question,
            progress: String::new(),
        }
    } else {
        FrameText::High {
            scene: String::new(),
            observation,
            task: question,
            completed: Box::default(),
            progress: String::new(),
        }
    };
    (state, answers.join(", "))
}

/// A name of the demonstrations, or one that nobody knows.
pub(super) fn any(known: &[String], rng: &mut ChaCha8Rng) -> String {
    match known.choose(rng) {
        Some(name) if rng.random_bool(0.4) => name.clone(),
        _ => words::name(rng),
    }
}

fn room(known: &[String], rng: &mut ChaCha8Rng) -> View {
    let room = ROOMS.choose(rng).copied().unwrap_or("kitchen");
    let doors = ROOMS.choose_multiple(rng, 2).copied();
    let doors: Vec<&str> = doors.filter(|door| *door != room).collect();
    View {
        feedback: String::new(),
        room: room.to_owned(),
        things: (0..rng.random_range(4..=10))
            .map(|_| thing(known, 2, rng))
            .collect(),
        doors: doors
            .into_iter()
            .map(|to| Door {
                to: to.to_owned(),
                open: rng.random_bool(0.5),
            })
            .collect(),
        holding: (0..rng.random_range(0..=3))
            .map(|_| thing(known, 1, rng))
            .collect(),
    }
}

/// A thing with up to `depth` levels of things in it.
fn thing(known: &[String], depth: u32, rng: &mut ChaCha8Rng) -> Thing {
    let mut thing = Thing {
        name: any(known, rng),
        ..Thing::default()
    };
    match rng.random_range(0..8) {
        0 | 1 if depth > 0 => {
            let inside = (0..rng.random_range(0..=3)).map(|_| self::thing(known, depth - 1, rng));
            thing.contents = Some(inside.collect());
        }
        2 => thing.open = Some(false),
        3 => thing.state = Some(if rng.random_bool(0.5) { "on" } else { "off" }.to_owned()),
        4 => thing.name = format!("{} {}", thing.name, rng.random_range(1..100)),
        _ => {}
    }
    thing
}

/// Where the thing is, then what stands behind its name.
fn answer(view: &View, name: &str) -> String {
    let (Some(place), Some(thing)) = (view.place_of(name), view.find(name)) else {
        return format!("{name} nowhere");
    };
    let mut answer = name.to_owned();
    if let Some(state) = &thing.state {
        answer = format!("{answer} {state}");
    }
    if thing.is_closed() {
        answer.push_str(" closed");
    }
    let inside: Vec<&str> = thing.contents().iter().map(|t| t.name.as_str()).collect();
    if !inside.is_empty() {
        answer = format!("{answer} holds {}", inside.join(" and "));
    }
    match place {
        Place::Room => answer,
        Place::Held => format!("{answer} held"),
        Place::In(holder) => format!("{answer} in {}", holder.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demonstrations() -> Vec<Transition> {
        let things: Vec<String> = (b'a'..=b'z')
            .map(|c| format!("thing {}", char::from(c)))
            .collect();
        vec![Transition {
            state: FrameText::Low {
                scene: String::new(),
                observation: format!("kitchen: {} | doors:  | holding: orange", things.join("; ")),
                subtask: String::new(),
                progress: String::new(),
            },
            ..crate::testing::transition(0)
        }]
    }

    #[test]
    fn answers_are_what_the_frame_says() {
        let made = exercises(&demonstrations(), 500, 7).unwrap();
        let (mut absent, mut inside) = (0, 0);
        for exercise in &made {
            let (question, observation) = match &exercise.state {
                FrameText::Low {
                    subtask,
                    observation,
                    ..
                } => (subtask, observation),
                FrameText::High {
                    task, observation, ..
                } => (task, observation),
                FrameText::Progress { .. } => panic!("no exercise rewrites a progress"),
            };
            let view = View::read(observation);
            let asked: Vec<&str> = question
                .strip_prefix("recall ")
                .unwrap()
                .split(", ")
                .collect();
            let answers: Vec<&str> = exercise.utterance.split(", ").collect();
            assert_eq!(
                asked.len(),
                answers.len(),
                "{question}: {}",
                exercise.utterance
            );
            for (name, said) in asked.iter().zip(answers) {
                match view.find(name) {
                    None => {
                        absent += 1;
                        assert_eq!(said, format!("{name} nowhere"));
                    }
                    Some(thing) => {
                        assert!(said.starts_with(name), "{said}");
                        if let Some(Place::In(holder)) = view.place_of(name) {
                            inside += 1;
                            assert!(said.ends_with(&format!(" in {}", holder.name)), "{said}");
                        }
                        assert_eq!(thing.is_closed(), said.contains(" closed"), "{said}");
                    }
                }
            }
        }
        assert!(absent > 300 && inside > 200, "{absent} {inside}");
        assert_eq!(made, exercises(&demonstrations(), 500, 7).unwrap());
        assert_ne!(made, exercises(&demonstrations(), 500, 8).unwrap());
    }

    #[test]
    fn too_few_names_are_refused() {
        let error = exercises(&[crate::testing::transition(0)], 1, 0).unwrap_err();
        assert!(error.to_string().contains("at least 20"), "{error}");
    }
}
