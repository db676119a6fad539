//! Drills: decisions that the demonstrations hold too few of.
//!
//! Of three hundred frames of a demonstration one asks which of two boxes a thing belongs in; a network learns the other frames
//! first and this one not at all. A drill is nothing but such frames, labelled by the expert as every frame is:
//!
//! - *choices*: recorded high-level frames in which a measurement decides, or the life span of animals. Each comes several times over
//!   one observation, with the measurement turned round and the boxes exchanged, so that nothing but the join of condition and
//!   measurement tells the answers apart. Where the substance decides, it is exchanged for others that are known;
//! - *searches*: rooms that were seen and rooms that nobody knows, as in the recall exercises ([`super::recall`]), and over each of
//!   them several searches, takes and the progress that follows: what is looked for is there or not, and anywhere;
//! - *moved*: searches in rooms that were seen, in which every word that is known is the name of anything (the module `moved`);
//! - *placed*: substances of any name, anywhere, twice, and what the simulator asks then (the module `placed`);
//! - *lost*: searches that go on in another room (the module `lost`);
//! - *all else*, drawn so that every task comes up as often as any other, with names exchanged ([`super::variants`]).
//!
//! The expert is a function of the frame, so its answer is right for frames that the simulator would never show.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stride_agent::transition::{FrameText, Transition};
use stride_environments::scienceworld::HARMLESS_ACTION;
use stride_environments::scienceworld::view::{Thing, View};
use stride_firmware_config::state::Completed;

use super::Expert;
use super::families::melting_point;
use super::lost::Lost;
use super::moved::{self, Moved};
use super::placed;
use super::recall;
use super::skill::{recipe, search, take};
use super::variants::{self, KNOWN, YOUNG};
use super::words;
use crate::error::{Result, TrainError};

/// Share of the drills that are choices.
const CHOICES: f64 = 0.15;

/// Share that reads a recipe.
const RECIPES: f64 = 0.06;

/// Share that searches; what is left is drawn from all tasks alike.
const SEARCHES: f64 = 0.10;

/// Share that looks for a substance in another room.
const LOST: f64 = 0.10;

/// Share that searches where everything has another name.
const MOVED: f64 = 0.20;

/// Share with a substance that is anything, anywhere.
const PLACED: f64 = 0.16;

/// Of these, the share in which the simulator asks back.
const ASKED_BACK: f64 = 0.15;

/// Of the moved ones, the share in which a thing is there twice.
const TWICE: f64 = 0.12;

/// Frames of one of these, so that they weigh as much as the other kinds.
const LOST_FRAMES: usize = 3;

/// Share of the rooms that were seen.
const SEEN: f64 = 0.6;

/// Instructions whose boxes are chosen by a measurement.
const MEASURED: [&str; 2] = ["determine if ", "measure the temperature of "];

/// Instructions whose boxes are chosen by what is known of a substance.
const MELTING: &str = "measure the melting point of ";

/// Substances over one observation.
const EXAMPLES: usize = 8;

/// The instructions about life spans.
const LIFESPANS: [&str; 3] = [
    "find the animal with the longest life span. The animals are in the 'outside' location. Focus on the animal with the longest \
        life span.",
    "find the animal with the shortest life span. The animals are in the 'outside' location. Focus on the animal with the \
        shortest life span.",
    "find the animal with the longest life span, then the shortest life span. First, focus on the animal with the longest life \
        span. Then, focus on the animal with the shortest life span. The animals are in the 'outside' location.",
];

/// Makes about `count` drills from demonstrations. The same transitions and seed give the same drills.
///
/// # Errors
/// [`TrainError::NoData`] when the demonstrations hold no choice, or fewer names than the recall exercises need.
pub fn drills(transitions: &[Transition], count: usize, seed: u64) -> Result<Vec<Transition>> {
    let known = recall::names(transitions)?;
    let choices = choices(transitions);
    if choices.is_empty() {
        return Err(TrainError::NoData(
            "drills need demonstrations of tasks with a choice (test-conductivity, use-thermometer, lifespan-…)"
                .into(),
        ));
    }
    let mut tasks: BTreeMap<&str, Vec<&Transition>> = BTreeMap::new();
    for transition in transitions {
        let task = transition.game.split('/').next().unwrap_or_default();
        tasks.entry(task).or_default().push(transition);
    }
    let tasks: Vec<Vec<&Transition>> = tasks.into_values().collect();
    let lost = Lost::new(transitions);
    let moved = Moved::new(transitions);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut made = Vec::with_capacity(count);
    for index in 0.. {
        if made.len() >= count {
            break;
        }
        let kind = rng.random_range(0.0..1.0);
        let mut drill = if kind < CHOICES {
            let kind = choices.choose(&mut rng);
            kind.map_or_else(Vec::new, |kind| choose(kind, &mut rng))
        } else if kind < CHOICES + RECIPES {
            let room = room(transitions, &known, &mut rng);
            read_recipe(room, &known, &mut rng)
        } else if kind < CHOICES + RECIPES + SEARCHES {
            let room = room(transitions, &known, &mut rng);
            look_for(room, &|rng| recall::any(&known, rng), &mut rng)
        } else if kind < CHOICES + RECIPES + SEARCHES + LOST {
            let name = |rng: &mut _| match Rng::random_bool(rng, 0.5) {
                true => moved.name(rng),
                false => recall::any(&known, rng),
            };
            let frames = (0..LOST_FRAMES).filter_map(|_| lost.frame(&name, &mut rng));
            frames.filter_map(labelled).collect()
        } else if kind < CHOICES + RECIPES + SEARCHES + LOST + MOVED {
            match moved.room(&mut rng) {
                Some(room) if rng.random_bool(TWICE) => {
                    let frames = moved::twice(room, &mut rng).into_iter();
                    frames.filter_map(labelled).collect()
                }
                Some(room) => look_for(room, &|rng| moved.name(rng), &mut rng),
                None => Vec::new(),
            }
        } else if kind < CHOICES + RECIPES + SEARCHES + LOST + MOVED + PLACED {
            let name = moved.name(&mut rng);
            let frames = match (lost.asked(&mut rng), moved.room(&mut rng)) {
                (_, Some(room)) if rng.random_bool(ASKED_BACK) => {
                    placed::questions(room, &name, &mut rng)
                }
                (Some(asked), Some(room)) => {
                    placed::frames(asked, room, &name, &mut rng).unwrap_or_default()
                }
                _ => Vec::new(),
            };
            frames.into_iter().filter_map(labelled).collect()
        } else {
            let any = tasks
                .choose(&mut rng)
                .and_then(|task| task.choose(&mut rng));
            // As often a word that the demonstrations know from elsewhere as one that nobody knows.
            let name = |rng: &mut ChaCha8Rng| match rng.random_bool(0.5) {
                true => moved.name(rng),
                false => words::name(rng),
            };
            any.map_or_else(Vec::new, |any| {
                variants::vary_with(std::slice::from_ref(any), &name, &mut rng)
            })
        };
        for transition in &mut drill {
            transition.game = format!("drill:{index}");
        }
        made.append(&mut drill);
    }
    Ok(made)
}

/// The frames whose answer hangs on a measurement or on what a thing is, by kind of instruction.
fn choices(transitions: &[Transition]) -> Vec<Vec<&Transition>> {
    let kind = |start: &str, verb: &str, end: &str| {
        let of_kind = transitions.iter().filter(|transition| {
            let said = &transition.utterance;
            matches!(&transition.state, FrameText::High { task, .. } if task.starts_with(start))
                && said.starts_with(verb)
                && said.ends_with(end)
        });
        of_kind.collect::<Vec<_>>()
    };
    let mut kinds = vec![
        kind(MELTING, "focus on ", " box"),
        kind(KNOWN, "focus on ", ""),
    ];
    kinds.extend(MEASURED.iter().map(|start| kind(start, "move ", "")));
    kinds.retain(|kind| !kind.is_empty());
    kinds
}

/// The same choice over one observation, turned round in every way, with other names.
fn choose(kind: &[&Transition], rng: &mut ChaCha8Rng) -> Vec<Transition> {
    let Some(&recorded) = kind.choose(rng) else {
        return Vec::new();
    };
    let FrameText::High {
        scene,
        observation,
        task,
        completed,
        progress,
    } = &recorded.state
    else {
        return Vec::new();
    };
    let mut view = View::read(observation);
    let is_lifespan = task.starts_with(KNOWN);
    if is_lifespan {
        new_animals(&mut view, rng);
    }
    thin(&mut view, rng);
    let observation = view.to_string();
    let frame = |task: &str, completed: &Completed, progress: &str| Transition {
        state: FrameText::High {
            scene: scene.clone(),
            observation: observation.clone(),
            task: task.to_owned(),
            completed: Box::new(completed.clone()),
            progress: progress.to_owned(),
        },
        ..recorded.clone()
    };
    let mut frames = Vec::new();
    if is_lifespan {
        for task in LIFESPANS {
            frames.push(frame(task, completed, progress));
        }
    } else if task.starts_with(MELTING) {
        // Other substances and limits, so that what is known decides, and not the room.
        for _ in 0..EXAMPLES {
            let (Some(old), Some(old_limit)) = (substance(task), limit(task)) else {
                continue;
            };
            let (new, new_limit) = melting_point::example(rng);
            let mut drill = frame(task, completed, progress);
            drill.state = drill.state.edited(&mut |text| {
                text.replace(old, new).replace(
                    &format!("{old_limit} degrees"),
                    &format!("{new_limit} degrees"),
                )
            });
            frames.push(drill);
        }
        frames.shuffle(rng);
        return variants::recolour(&frames, rng);
    } else {
        for task in [task.clone(), boxes_exchanged(task)] {
            for progress in [progress.clone(), turned(progress)] {
                frames.push(frame(&task, completed, &progress));
            }
        }
    }
    frames.shuffle(rng);
    variants::vary(&frames, rng)
}

/// Other animals, as many as the simulator may show.
fn new_animals(view: &mut View, rng: &mut ChaCha8Rng) {
    view.things
        .retain(|thing| !YOUNG.contains(&thing.name.as_str()));
    let many = rng.random_range(2..=6);
    for name in YOUNG.choose_multiple(rng, many) {
        let at = rng.random_range(0..=view.things.len());
        let animal = Thing {
            name: (*name).to_owned(),
            ..Thing::default()
        };
        view.things.insert(at, animal);
    }
}

/// Leaves out some of what does not matter, so that a drill has more decisions for its tokens.
fn thin(view: &mut View, rng: &mut ChaCha8Rng) {
    let kept = rng.random_range(0.2..1.0);
    view.things.retain(|thing| {
        YOUNG.contains(&thing.name.as_str())
            || thing.name.ends_with(" box")
            || rng.random_bool(kept)
    });
}

/// The instruction with its two boxes exchanged.
fn boxes_exchanged(task: &str) -> String {
    let mut boxes = task.match_indices(" box").map(|(at, _)| {
        let start = task[..at].rfind(' ').map_or(0, |space| space + 1);
        &task[start..at + " box".len()]
    });
    let (Some(one), Some(other)) = (boxes.next(), boxes.next()) else {
        return task.to_owned();
    };
    task.replace(one, "\0")
        .replace(other, one)
        .replace('\0', other)
}

/// What is to be melted.
fn substance(task: &str) -> Option<&str> {
    let (name, _) = task.strip_prefix(MELTING)?.split_once(", which")?;
    Some(name)
}

/// The limit of a melting point, as the instruction writes it.
fn limit(task: &str) -> Option<&str> {
    let (before, _) = task.split_once(" degrees celsius")?;
    before.rsplit(' ').next()
}

/// The progress after the opposite measurement.
fn turned(progress: &str) -> String {
    for (one, other) in [
        (" is on.", " is off."),
        (" is off.", " is on."),
        (", above ", ", below "),
        (", below ", ", above "),
    ] {
        if progress.contains(one) {
            return progress.replacen(one, other, 1);
        }
    }
    progress.to_owned()
}

/// A room that was seen, or one that nobody knows: where things usually are must not tell where they are.
fn room(transitions: &[Transition], known: &[String], rng: &mut ChaCha8Rng) -> View {
    match transitions.choose(rng) {
        Some(seen) if rng.random_bool(SEEN) => View::read(seen.state.as_frame().observation()),
        _ => recall::clear_room(known, rng),
    }
}

/// Something that makes up names.
pub(super) type Naming<'a> = dyn Fn(&mut ChaCha8Rng) -> String + 'a;

/// Searches and takes in one room, and what the progress says after them.
fn look_for(mut view: View, name: &Naming<'_>, rng: &mut ChaCha8Rng) -> Vec<Transition> {
    view.feedback.clear();
    let mut opened = Vec::new();
    for thing in &mut view.things {
        if thing.open.is_some() {
            if thing.is_closed() && rng.random_bool(0.5) {
                thing.open = Some(true);
                let inside = (0..rng.random_range(0..3)).map(|_| Thing {
                    name: name(rng),
                    ..Thing::default()
                });
                thing.contents = Some(inside.collect());
            }
            if thing.open == Some(true) {
                opened.push(thing.name.clone());
            }
            continue;
        }
        // Something with a door, so that there are places to be opened and opened ones.
        if thing.state.is_none() && rng.random_bool(0.3) {
            let contents = thing.contents.take();
            thing.open = Some(rng.random_bool(0.5));
            if thing.open == Some(true) {
                thing.contents = Some(contents.unwrap_or_default());
                opened.push(thing.name.clone());
            }
        }
    }
    let last = opened.choose(rng).cloned();
    if let Some(last) = &last {
        view.feedback = format!("The {last} is now open.");
    }
    let there: Vec<String> = view.everything().map(|thing| thing.name.clone()).collect();
    let mut wanted = || match there.choose(rng) {
        Some(name) if rng.random_bool(0.5) => name.clone(),
        Some(name) if rng.random_bool(0.3) => words::similar(name, rng),
        _ => name(rng),
    };
    let wanted: Vec<String> = (0..4).map(|_| wanted()).collect();
    let observation = view.to_string();
    let mut frames = Vec::new();
    for (turn, name) in wanted.iter().enumerate() {
        opened.shuffle(rng);
        let mut checked = opened.clone();
        checked.retain(|place| Some(place) != last.as_ref());
        checked.truncate(rng.random_range(0..=checked.len()));
        let before = if checked.is_empty() {
            String::new()
        } else {
            search::nowhere(name, &checked.join(", "))
        };
        frames.push(if turn % 2 == 0 {
            FrameText::Low {
                scene: String::new(),
                observation: observation.clone(),
                subtask: if turn == 0 || rng.random_bool(0.7) {
                    search::sentence(name)
                } else {
                    take::sentence(name)
                },
                progress: before,
            }
        } else {
            let action = match &last {
                Some(last) if rng.random_bool(0.8) => format!("open {last}"),
                _ => HARMLESS_ACTION.to_owned(),
            };
            FrameText::Progress {
                scene: String::new(),
                observation: observation.clone(),
                subtask: search::sentence(name),
                progress: before,
                action,
            }
        });
    }
    frames.into_iter().filter_map(labelled).collect()
}

/// A recipe that was read just now.
fn read_recipe(mut view: View, known: &[String], rng: &mut ChaCha8Rng) -> Vec<Transition> {
    thin(&mut view, rng);
    let there: Vec<String> = view.everything().map(|thing| thing.name.clone()).collect();
    let product = recall::any(known, rng);
    let parts: Vec<String> = (0..rng.random_range(2..=4))
        .map(|_| match there.choose(rng) {
            Some(name) if rng.random_bool(0.5) => name.clone(),
            _ => recall::any(known, rng),
        })
        .collect();
    view.feedback = recipe::reading(&product, &parts);
    let frame = FrameText::Progress {
        scene: String::new(),
        observation: view.to_string(),
        subtask: recipe::sentence(&product),
        progress: String::new(),
        action: "read recipe in inventory".to_owned(),
    };
    labelled(frame).into_iter().collect()
}

/// The expert's transition of a frame that was made up; `None` when it does not know the frame.
fn labelled(state: FrameText) -> Option<Transition> {
    let utterance = Expert.answer(&state.as_frame()).ok()?;
    Some(Transition::for_cloning(state, utterance))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "determine if apricot is electrically conductive. The apricot is located around the kitchen. First, focus on \
        the apricot. If it is electrically conductive, place it in the red box. If it is electrically nonconductive, place it in \
        the green box.";

    fn demonstrations() -> Vec<Transition> {
        let things: Vec<String> = (b'a'..=b'z')
            .map(|c| format!("thing {}", char::from(c)))
            .collect();
        let mut completed = Completed::new();
        completed.push("wire battery, blue light bulb and apricot in a circuit", 8);
        let high = |task: &str, observation: String, progress: &str, said: &str| Transition {
            state: FrameText::High {
                scene: String::new(),
                observation,
                task: task.to_owned(),
                completed: Box::new(completed.clone()),
                progress: progress.to_owned(),
            },
            utterance: said.to_owned(),
            ..crate::testing::transition(0)
        };
        vec![
            high(
                TASK,
                format!(
                    "workshop: green box []; red box []; {} | doors: hallway open | holding: orange apricot",
                    things.join("; ")
                ),
                "The blue light bulb is on. || [Connections: battery - a wire - blue light bulb - b wire - apricot - c wire - \
                    battery]",
                "move apricot to red box",
            ),
            high(
                LIFESPANS[0],
                "outside: axe; baby ant; baby wolf | doors: kitchen open | holding: orange"
                    .to_owned(),
                "Now in the outside.",
                "focus on baby wolf",
            ),
        ]
    }

    /// The colours of the boxes in the order of the instruction.
    fn boxes(task: &str) -> Vec<&str> {
        let words: Vec<&str> = task.split([' ', '.', ',']).collect();
        let pairs = words.windows(2).filter(|pair| pair[1] == "box");
        pairs.map(|pair| pair[0]).collect()
    }

    #[test]
    fn a_choice_comes_in_every_way() {
        let mut first = BTreeMap::new();
        for drill in drills(&demonstrations(), 400, 1).unwrap() {
            let FrameText::High { task, progress, .. } = &drill.state else {
                continue;
            };
            if !task.starts_with("determine") {
                continue;
            }
            if !drill.utterance.starts_with("move ") {
                continue;
            }
            let lit = progress.contains(" is on.");
            let colours = boxes(task);
            let chosen = colours[usize::from(!lit)];
            assert!(
                drill.utterance.ends_with(&format!(" to {chosen} box")),
                "{drill:?}"
            );
            *first.entry((drill.game, lit)).or_insert(0) += 1;
        }
        // The recorded light is on: where it is off the choice was turned round, and then both boxes come first.
        let unlit: Vec<_> = first.iter().filter(|((_, lit), _)| !lit).collect();
        assert!(
            unlit.len() > 10 && unlit.iter().all(|(_, n)| **n == 2),
            "{first:?}"
        );
    }

    #[test]
    fn the_same_seed_gives_the_same_drills() {
        let made = drills(&demonstrations(), 300, 5).unwrap();
        assert_eq!(made, drills(&demonstrations(), 300, 5).unwrap());
        assert_ne!(made, drills(&demonstrations(), 300, 6).unwrap());
        let said = |start: &str| {
            made.iter()
                .filter(|t| t.utterance.starts_with(start))
                .count()
        };
        for start in [
            "open ",
            "pick up ",
            "The ",
            "To make ",
            "move ",
            "focus on ",
        ] {
            assert!(said(start) > 0, "{start}");
        }
    }

    #[test]
    fn demonstrations_without_a_choice_are_refused() {
        let mut demonstrations = demonstrations();
        for transition in &mut demonstrations {
            transition.utterance = "go to the kitchen".to_owned();
        }
        let error = drills(&demonstrations, 1, 0).unwrap_err();
        assert!(error.to_string().contains("test-conductivity"), "{error}");
    }
}
