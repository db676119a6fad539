//! More frames from recorded ones: names are exchanged consistently, and the expert labels the result.
//!
//! The training variations name few of the rooms, colours and temperatures that the simulator knows. A network would learn
//! them by heart; with names drawn anew it must copy them from the frame and compare numbers. An edited frame need not be
//! one that the simulator would show: the expert is a function of the frame, so its answer is right for any.

use std::collections::BTreeSet;

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use stride_agent::transition::{FrameText, Transition};
use stride_environments::scienceworld::view::View;

use super::Expert;
use super::house::ROOMS;
use super::skill::recipe;
use super::words;

/// Colours of boxes, wires and light bulbs.
const COLOURS: [&str; 9] = [
    "red", "green", "blue", "orange", "yellow", "purple", "black", "violet", "white",
];

/// Instructions that name a thing: what stands before the name and behind it.
const NAMING: [(&str, &str); 13] = [
    ("turn on the ", " by powering it"),
    ("turn on the ", ". First"),
    ("determine if ", " is electrically"),
    ("measure the temperature of ", ", which"),
    ("measure the melting point of ", ", which"),
    ("boil ", "."),
    ("melt ", "."),
    ("freeze ", "."),
    ("change the state of matter of ", "."),
    ("grow a ", " plant from seed"),
    ("grow a ", ". This"),
    ("life stages of the ", " plant,"),
    ("life stages of the ", ","),
];

/// Instructions whose episodes show living things that may be called anything.
const NAMELESS: &str = "find a(n) ";

/// Instructions whose answer hangs on what the animals are, so that they may only be others of those known.
pub(super) const KNOWN: &str = "find the animal with ";

/// Animals of such instructions as they are shown, one species a line.
pub(super) const YOUNG: [&str; 15] = [
    "baby ant",
    "baby beaver",
    "baby brown bear",
    "baby chipmunk",
    "baby dragonfly",
    "baby elephant",
    "baby hedgehog",
    "baby mouse",
    "baby rabbit",
    "baby wolf",
    "chameleon egg",
    "crocodile egg",
    "frog egg",
    "giant tortoise egg",
    "parrot egg",
];

/// Instructions about paint: exchanging the three primary colours exchanges what is mixed from them.
const PAINT: &str = "use chemistry to create ";

/// The primary colours, and the one that is mixed from the other two.
const PAINTS: [(&str, &str); 3] = [("red", "green"), ("blue", "orange"), ("yellow", "violet")];

/// Share of the copies with other temperatures.
const NEW_NUMBERS: f64 = 0.5;

/// The coldest new temperature, in degrees Celsius.
const COLDEST: i64 = -100;

/// How many degrees the new temperatures span.
const DEGREES: u64 = 400;

/// Share of the frames with another room for the aim.
const NEW_ROOM: f64 = 0.7;

/// Bytes of a name that is too long to be one: what was found is a part of a sentence.
const LONGEST_NAME: usize = 30;

/// What colours belong to.
const COLOURED: [&str; 3] = ["box", "wire", "light"];

/// An edited copy of an episode's transitions, labelled by the expert. Names are exchanged in the same way in all of them, so
/// that the calls of one step still share their observation; the room of the aim is drawn for each call. Frames that the
/// expert does not know are left out.
pub fn vary(transitions: &[Transition], rng: &mut impl Rng) -> Vec<Transition> {
    vary_with(transitions, &words::name, rng)
}

/// As [`vary`], with new names from this source.
pub(super) fn vary_with<R: Rng>(
    transitions: &[Transition],
    name: &dyn Fn(&mut R) -> String,
    rng: &mut R,
) -> Vec<Transition> {
    let mut edits = Edits::draw(transitions, name, rng);
    transitions
        .iter()
        .filter_map(|transition| {
            edits.aim(&transition.state, rng);
            edits.labelled(transition)
        })
        .collect()
}

/// As [`vary`], but only colours and letters are exchanged: for frames whose answer hangs on what a thing is called.
pub(super) fn recolour(transitions: &[Transition], rng: &mut impl Rng) -> Vec<Transition> {
    let edits = Edits {
        names: Vec::new(),
        are_numbers_new: false,
        ..Edits::draw(transitions, &words::name, rng)
    };
    transitions
        .iter()
        .filter_map(|transition| edits.labelled(transition))
        .collect()
}

/// What is exchanged.
#[derive(Debug, Default)]
struct Edits {
    /// For each of [`COLOURED`] the colours in the order of [`COLOURS`].
    colours: [Vec<&'static str>; 3],
    /// Letters of unknown substances.
    letters: Vec<char>,
    /// Colours of paint, and what stands for them.
    paints: Vec<(&'static str, &'static str)>,
    /// Names, and others for them.
    names: Vec<(String, String)>,
    /// The room of the aim, and another one.
    room: Option<(String, &'static str)>,
    /// Numbers of flower pots, for 1 to 9.
    pots: Vec<u32>,
    /// Whether temperatures are exchanged.
    are_numbers_new: bool,
    /// Where new temperatures come from.
    seed: u64,
}

impl Edits {
    fn draw<R: Rng>(
        transitions: &[Transition],
        name: &dyn Fn(&mut R) -> String,
        rng: &mut R,
    ) -> Self {
        let colours = std::array::from_fn(|_| {
            let mut colours = COLOURS.to_vec();
            colours.shuffle(rng);
            colours
        });
        let mut letters: Vec<char> = ('A'..='Z').collect();
        letters.shuffle(rng);
        let task = transitions
            .iter()
            .find_map(|t| task_of(&t.state))
            .unwrap_or_default();
        let mut pots: Vec<u32> = (1..=9).collect();
        pots.shuffle(rng);
        let mut edits = Self {
            colours,
            letters,
            pots,
            paints: if task.starts_with(PAINT) {
                paints(rng)
            } else {
                Vec::new()
            },
            names: new_names(task, transitions, name, rng),
            room: None,
            are_numbers_new: rng.random_bool(NEW_NUMBERS),
            seed: rng.random(),
        };
        // A name is replaced behind its colour, `red light bulb`, so it is looked for as it is then.
        let names = std::mem::take(&mut edits.names);
        edits.names = names
            .into_iter()
            .map(|(old, new)| (edits.text(&old), new))
            .collect();
        edits
    }

    /// Draws another room for the aim of this frame, if it has one.
    fn aim(&mut self, state: &FrameText, rng: &mut impl Rng) {
        let aim = match state {
            FrameText::High { task, .. } => room_in(task),
            FrameText::Low { subtask, .. } | FrameText::Progress { subtask, .. } => {
                subtask.strip_prefix("go to the ")
            }
        };
        self.room = aim
            .filter(|_| rng.random_bool(NEW_ROOM))
            .and_then(|aim| Some((aim.to_owned(), *ROOMS.choose(rng)?)));
    }

    /// The edited transition as the expert labels it, if it knows the frame.
    fn labelled(&self, transition: &Transition) -> Option<Transition> {
        let state = transition.state.edited(&mut |text| self.text(text));
        let utterance = Expert.answer(&state.as_frame()).ok()?;
        Some(Transition {
            game: transition.game.clone(),
            subtask_index: transition.subtask_index,
            step_index: transition.step_index,
            ..Transition::for_cloning(state, utterance)
        })
    }

    fn text(&self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            let (before, word, after) = bare(&words[at]);
            let next = words.get(at + 1).map_or("", |next| bare(next).1);
            let previous = at.checked_sub(1).map_or("", |p| bare(&words[p]).1);
            let new = if is_paint(&words, at) {
                self.paint(word)
            } else if let Some(kind) = COLOURED.iter().position(|kind| *kind == next) {
                COLOURS
                    .iter()
                    .position(|colour| *colour == word)
                    .map(|colour| self.colours[kind][colour].to_owned())
            } else if previous == "substance" {
                letter(word).map(|index| self.letters[index].to_string())
            } else if previous == "pot" {
                let number: Option<usize> = word.parse().ok();
                number
                    .and_then(|number| self.pots.get(number.checked_sub(1)?))
                    .map(u32::to_string)
            } else if previous == "thermometer"
                || previous == "above"
                || previous == "below"
                || next == "degrees"
            {
                self.number(word)
            } else {
                None
            };
            if let Some(new) = new {
                words[at] = format!("{before}{new}{after}");
            }
        }
        let text = replace_words(&words.join(" "), &self.names);
        match &self.room {
            // Only where the aim is named: the observation's rooms are where they are.
            Some((old, new)) => [
                "in the ",
                "around the ",
                "near the ",
                "go to the ",
                "way to the ",
            ]
            .iter()
            .fold(text, |text, lead| {
                text.replace(&format!("{lead}{old}"), &format!("{lead}{new}"))
            }),
            None => text,
        }
    }

    /// A colour of paint, or a tertiary one, `red-orange`. At the start of a sentence it has a capital.
    fn paint(&self, word: &str) -> Option<String> {
        let of = |colour: &str| {
            let found = self.paints.iter().find(|(old, _)| *old == colour)?;
            Some(found.1.to_owned())
        };
        let lower = word.to_ascii_lowercase();
        let parts: Option<Vec<String>> = lower.split('-').map(of).collect();
        let mut new = parts?.join("-");
        if lower != word {
            new[..1].make_ascii_uppercase();
        }
        Some(new)
    }

    fn number(&self, word: &str) -> Option<String> {
        if !self.are_numbers_new {
            return None;
        }
        let old: f64 = word.parse().ok()?;
        // The same new number for an old one wherever it stands (a hash), near enough to each other that both answers of a comparison come up.
        let hash = old
            .to_bits()
            .wrapping_add(self.seed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            >> 33;
        let new = i64::try_from(hash % DEGREES).unwrap_or(0) + COLDEST;
        Some(if word.contains('.') {
            // With a decimal it is a task's limit: in tens, so that limits recur.
            format!("{}.0", new - new % 10)
        } else {
            new.to_string()
        })
    }
}

/// Whether the word is the colour in `red paint`, or the first one in `Red and blue paint mix`.
fn is_paint(words: &[String], at: usize) -> bool {
    let is = |at: usize, expected: &str| words.get(at).is_some_and(|word| bare(word).1 == expected);
    is(at + 1, "paint") || is(at + 1, "and") && is(at + 3, "paint")
}

/// The primary colours in another order, and with them those that are mixed from them.
fn paints(rng: &mut impl Rng) -> Vec<(&'static str, &'static str)> {
    let mut others = PAINTS;
    others.shuffle(rng);
    let pairs = PAINTS.iter().zip(others);
    pairs
        .flat_map(|(old, new)| [(old.0, new.0), (old.1, new.1)])
        .collect()
}

/// Names of the episode that may be exchanged, and others for them.
fn new_names<R: Rng>(
    task: &str,
    transitions: &[Transition],
    name: &dyn Fn(&mut R) -> String,
    rng: &mut R,
) -> Vec<(String, String)> {
    let mut names: Vec<(String, String)> = Vec::new();
    if task.starts_with(KNOWN) {
        let mut others = YOUNG;
        others.shuffle(rng);
        let pairs = YOUNG.iter().zip(others);
        names.extend(pairs.map(|(old, new)| ((*old).to_owned(), new.to_owned())));
    } else if task.starts_with(NAMELESS) {
        for old in species_in(transitions) {
            names.push((old, name(rng)));
        }
    } else if let Some(product) = product_of(task) {
        let recipe = transitions
            .iter()
            .find_map(|t| recipe::ingredients(progress_of(&t.state)));
        let ingredients = recipe.into_iter().flatten();
        let has_own_rule = |name: &String| name == "water" || name.ends_with(" paint");
        let old = ingredients
            .filter(|name| !has_own_rule(name))
            .chain([product.to_owned()]);
        names.extend(old.map(|old| (old, name(rng))));
    } else if let Some(old) = named_in(task) {
        let new = if rng.random_bool(0.25) {
            words::similar(old, rng)
        } else {
            name(rng)
        };
        names.push((old.to_owned(), new));
    }
    // Where several fit, the longest is meant: `blue jay` and `jay`.
    names.sort_by_key(|(old, _)| std::cmp::Reverse(old.len()));
    names
}

/// The species of the animals and plants that the episode shows.
fn species_in(transitions: &[Transition]) -> BTreeSet<String> {
    let mut species = BTreeSet::new();
    for transition in transitions {
        let view = View::read(transition.state.as_frame().observation());
        for thing in view.everything() {
            let name = thing.name.as_str();
            let found = name.strip_prefix("baby ").or_else(|| {
                [" egg", " tree", " plant"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end))
            });
            species.extend(found.map(str::to_owned));
        }
    }
    species
}

/// The instruction, where the frame shows it.
fn task_of(state: &FrameText) -> Option<&str> {
    match state {
        FrameText::High { task, .. } => Some(task),
        FrameText::Low { .. } | FrameText::Progress { .. } => None,
    }
}

fn progress_of(state: &FrameText) -> &str {
    match state {
        FrameText::High { progress, .. }
        | FrameText::Low { progress, .. }
        | FrameText::Progress { progress, .. } => progress,
    }
}

/// What is to be mixed, other than paint.
fn product_of(task: &str) -> Option<&str> {
    let rest = task.strip_prefix("use chemistry to create the substance '")?;
    rest.split_once('\'').map(|(product, _)| product)
}

/// The thing that a task is about, if its name may be exchanged: the expert knows water.
fn named_in(task: &str) -> Option<&str> {
    NAMING
        .iter()
        .find_map(|(before, after)| {
            let (_, rest) = task.split_once(before)?;
            rest.split_once(after).map(|(name, _)| name)
        })
        .filter(|name| {
            *name != "water"
                && !name.starts_with("unknown")
                && (1..LONGEST_NAME).contains(&name.len())
        })
}

/// Replaces whole words, each once: what was put in is not replaced again. The old names are not empty.
fn replace_words(text: &str, names: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut previous = None;
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    while let Some(first) = rest.chars().next() {
        let found = names.iter().find(|(old, _)| {
            let after = rest.strip_prefix(old.as_str());
            !inside(previous) && after.is_some_and(|after| !inside(after.chars().next()))
        });
        let (put, taken) = match found {
            Some((old, new)) => (new.as_str(), old.len()),
            None => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        out.push_str(put);
        previous = rest[..taken].chars().next_back();
        rest = &rest[taken..];
    }
    out
}

fn letter(word: &str) -> Option<usize> {
    let mut letters = word.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    letters
        .next()
        .is_none()
        .then_some(letter as usize - 'A' as usize)
}

/// The last room that a task names: where its boxes or things are.
fn room_in(task: &str) -> Option<&'static str> {
    ROOMS
        .iter()
        .copied()
        .filter_map(|room| Some((task.rfind(&format!("the {room}"))?, room)))
        .max()
        .map(|(_, room)| room)
}

/// A word without the punctuation around it.
fn bare(word: &str) -> (&str, &str, &str) {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let start = word.find(inside).unwrap_or(word.len());
    // Such characters are one byte long.
    let end = word.rfind(inside).map_or(start, |at| at + 1);
    (&word[..start], &word[start..end], &word[end..])
}

#[cfg(test)]
mod tests;
