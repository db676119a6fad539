//! More frames from recorded ones: names are exchanged consistently, and the expert labels the result.
//!
//! The training variations name few of the rooms, colours and temperatures that the simulator knows. A network would learn
//! them by heart; with names drawn anew it must copy them from the frame and compare numbers. An edited frame need not be
//! one that the simulator would show: the expert is a function of the frame, so its answer is right for any.

use rand::Rng;
use rand::SeedableRng as _;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use stride_agent::transition::{EndKind, FrameText, Source, Transition};

use super::Expert;
use super::house::ROOMS;

/// Colours of boxes, wires and light bulbs.
const COLOURS: [&str; 9] = [
    "red", "green", "blue", "orange", "yellow", "purple", "black", "violet", "white",
];

/// Instructions that name a thing: what stands before the name and behind it.
const NAMING: [(&str, &str); 11] = [
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

/// Words that new names are made of, so that names must be copied and not known.
const FIRST_WORDS: [&str; 24] = [
    "gold", "tin", "copper", "iron", "zinc", "silver", "steel", "brass", "glass", "plastic",
    "wooden", "paper", "ceramic", "rubber", "cork", "stone", "wax", "lemon", "pear", "plum",
    "grape", "pine", "sugar", "cotton",
];

/// The second words of such names.
const SECOND_WORDS: [&str; 16] = [
    "fork", "spoon", "plate", "coin", "nail", "key", "ring", "bottle", "button", "brush", "block",
    "sheet", "powder", "cube", "rod", "bead",
];

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
    let mut edits = Edits::draw(transitions, rng);
    transitions
        .iter()
        .filter_map(|transition| {
            edits.aim(&transition.state, rng);
            let state = transition.state.edited(&mut |text| edits.text(text));
            let utterance = Expert.answer(&state.as_frame()).ok()?;
            Some(Transition {
                state,
                utterance,
                reward: 0.0,
                span: 1,
                done: false,
                next: None,
                source: Source::Relabelled,
                end: EndKind::Truncated,
                game: transition.game.clone(),
                ..*transition
            })
        })
        .collect()
}

/// `copies` edited copies of every episode of `transitions`, which are in the order of their calls.
#[must_use]
pub fn copies(transitions: &[Transition], copies: u32, seed: u64) -> Vec<Transition> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let opens = |t: &Transition| {
        t.subtask_index == 0 && t.step_index == 0 && matches!(t.state, FrameText::High { .. })
    };
    transitions
        .chunk_by(|_, next| !opens(next))
        .flat_map(|episode| std::iter::repeat_n(episode, copies as usize))
        .flat_map(|episode| vary(episode, &mut rng))
        .collect()
}

/// What is exchanged.
#[derive(Debug, Default)]
struct Edits {
    /// For each of [`COLOURED`] the colours in the order of [`COLOURS`].
    colours: [Vec<&'static str>; 3],
    /// Letters of unknown substances.
    letters: Vec<char>,
    /// The thing that the task is about, and another name for it.
    name: Option<(String, String)>,
    /// The room of the aim, and another one.
    room: Option<(String, &'static str)>,
    /// Whether temperatures are exchanged.
    are_numbers_new: bool,
    /// Where new temperatures come from.
    seed: u64,
}

impl Edits {
    fn draw(transitions: &[Transition], rng: &mut impl Rng) -> Self {
        let colours = std::array::from_fn(|_| {
            let mut colours = COLOURS.to_vec();
            colours.shuffle(rng);
            colours
        });
        let mut letters: Vec<char> = ('A'..='Z').collect();
        letters.shuffle(rng);
        Self {
            colours,
            letters,
            name: transitions
                .iter()
                .find_map(|t| named_in(&t.state))
                .map(|old| (old.to_owned(), new_name(old, rng))),
            room: None,
            are_numbers_new: rng.random_bool(NEW_NUMBERS),
            seed: rng.random(),
        }
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

    fn text(&self, text: &str) -> String {
        let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            let (before, word, after) = bare(&words[at]);
            let next = words.get(at + 1).map_or("", |next| bare(next).1);
            let previous = at.checked_sub(1).map_or("", |p| bare(&words[p]).1);
            let new = if let Some(kind) = COLOURED.iter().position(|kind| *kind == next) {
                COLOURS
                    .iter()
                    .position(|colour| *colour == word)
                    .map(|colour| self.colours[kind][colour].to_owned())
            } else if previous == "substance" {
                letter(word).map(|index| self.letters[index].to_string())
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
        let mut text = words.join(" ");
        if let Some((old, new)) = &self.name {
            text = replace_words(&text, old, new);
        }
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

/// The thing that a task is about, if its name may be exchanged: the expert knows water.
fn named_in(state: &FrameText) -> Option<&str> {
    let FrameText::High { task, .. } = state else {
        return None;
    };
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

/// Another name: one or two words. Some words are made up, so that a name must be copied to the last letter; some names begin
/// as the old one does, so that a part of a name is not mistaken for the whole.
fn new_name(old: &str, rng: &mut impl Rng) -> String {
    let first = match rng.random_range(0..4) {
        0 => FIRST_WORDS
            .choose(rng)
            .map_or_else(String::new, |word| (*word).to_owned()),
        1 => old.split(' ').next().unwrap_or(old).to_owned(),
        _ => made_up(rng),
    };
    match rng.random_range(0..3) {
        0 => first,
        1 => format!("{first} {}", made_up(rng)),
        _ => SECOND_WORDS
            .choose(rng)
            .map_or_else(|| first.clone(), |second| format!("{first} {second}")),
    }
}

/// Two or three syllables.
fn made_up(rng: &mut impl Rng) -> String {
    const CONSONANTS: &[u8] = b"bcdfghklmnprstvwz";
    const VOWELS: &[u8] = b"aeiou";
    let mut word = String::new();
    for _ in 0..rng.random_range(1..=3) {
        for letters in [CONSONANTS, VOWELS] {
            word.extend(letters.choose(rng).map(|letter| char::from(*letter)));
        }
        if rng.random_bool(0.4) {
            word.extend(CONSONANTS.choose(rng).map(|letter| char::from(*letter)));
        }
    }
    word
}

/// Replaces whole words only; `old` is not empty.
fn replace_words(text: &str, old: &str, new: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (before, found) = rest.split_at(at);
        let after = &found[old.len()..];
        let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let whole = !inside(before.chars().next_back()) && !inside(after.chars().next());
        out.push_str(before);
        out.push_str(if whole { new } else { old });
        rest = after;
    }
    out.push_str(rest);
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
mod tests {
    use super::*;

    fn low(observation: &str, subtask: &str) -> Transition {
        Transition {
            game: "scienceworld:find-animal/0".into(),
            subtask_index: 0,
            step_index: 0,
            state: FrameText::Low {
                scene: String::new(),
                observation: observation.into(),
                subtask: subtask.into(),
                progress: String::new(),
            },
            utterance: String::new(),
            reward: 0.0,
            span: 1,
            done: false,
            next: None,
            source: Source::Expert,
            end: EndKind::Success,
        }
    }

    #[test]
    fn names_are_exchanged_everywhere_and_the_label_follows() {
        let step = low(
            "kitchen: red apple; red box []; green box [] | doors: hallway open | holding: blue jay egg",
            "move blue jay egg to red box",
        );
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let varied = vary(std::slice::from_ref(&step), &mut rng).remove(0);
            let FrameText::Low {
                observation,
                subtask,
                ..
            } = &varied.state
            else {
                panic!("the level changed");
            };
            let colour = subtask.split(' ').nth(5).unwrap();
            assert!(
                observation.contains(&format!("{colour} box []")),
                "{observation}"
            );
            assert!(observation.contains("red apple"), "{observation}");
            assert_eq!(varied.utterance, format!("{subtask}; True"));
            seen.insert(colour.to_owned());
        }
        assert!(seen.len() > 4, "{seen:?}");
    }

    #[test]
    fn the_thing_of_a_task_gets_another_name() {
        let high = Transition {
            state: FrameText::High {
                scene: String::new(),
                observation: "kitchen: apricot; apricots | doors: hallway open | holding: nothing".into(),
                task: "determine if apricot is electrically conductive. The apricot is located around the kitchen. First, \
                    focus on the apricot. If it is electrically conductive, place it in the red box. If it is \
                    electrically nonconductive, place it in the green box."
                    .into(),
                completed: Box::default(),
                progress: String::new(),
            },
            ..low("", "")
        };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let said = vary(std::slice::from_ref(&high), &mut rng).remove(0);
        let FrameText::High {
            observation, task, ..
        } = &said.state
        else {
            panic!("the level changed");
        };
        // The new name may begin as the old one does.
        assert!(!task.contains("determine if apricot is"), "{task}");
        assert!(observation.contains("; apricots |"), "{observation}");
    }

    #[test]
    fn every_episode_is_copied_by_itself() {
        let open = Transition {
            state: FrameText::High {
                scene: String::new(),
                observation: "kitchen: apricot | doors: hallway open | holding: nothing".into(),
                task: "boil apricot. First, focus on the substance.".into(),
                completed: Box::default(),
                progress: String::new(),
            },
            ..low("", "")
        };
        let act = low(
            "kitchen: apricot | doors: hallway open | holding: nothing",
            "focus on apricot",
        );
        let episodes = [open.clone(), act.clone(), open, act];
        let copied = copies(&episodes, 3, 7);
        assert_eq!(copied.len(), 12);
        let names: std::collections::BTreeSet<&str> = copied
            .iter()
            .filter_map(|t| t.utterance.strip_prefix("focus on "))
            .collect();
        assert!(names.len() > 3, "{names:?}");
        for pair in copied.chunks(2) {
            let FrameText::High { task, .. } = &pair[0].state else {
                panic!("an episode begins with its plan");
            };
            let name = pair[1].utterance.trim_start_matches("focus on ");
            let name = name.trim_end_matches("; True");
            assert!(task.starts_with(&format!("boil {name}.")), "{task} {name}");
        }
        assert_eq!(copies(&episodes, 3, 7), copied);
    }

    #[test]
    fn aims_move_to_other_rooms() {
        let step = low(
            "hallway: picture | doors: kitchen closed, bedroom open | holding: nothing",
            "go to the kitchen",
        );
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let said: std::collections::BTreeSet<String> = (0..60)
            .map(|_| {
                vary(std::slice::from_ref(&step), &mut rng)
                    .remove(0)
                    .utterance
            })
            .collect();
        assert!(said.contains("open door to kitchen; False"), "{said:?}");
        assert!(said.contains("go to bedroom; True"), "{said:?}");
    }

    #[test]
    fn words_are_replaced_whole() {
        assert_eq!(
            replace_words("apple; apples, red apple", "apple", "tin"),
            "tin; apples, red tin"
        );
        for (word, expected) in [
            ("box.", ("", "box", ".")),
            ("[10.0,", ("[", "10.0", ",")),
            ("||", ("||", "", "")),
            ("caf\u{e9}", ("", "caf", "\u{e9}")),
        ] {
            assert_eq!(bare(word), expected);
        }
        let nameless = FrameText::High {
            scene: String::new(),
            observation: String::new(),
            task: "boil . First, focus on the substance.".into(),
            completed: Box::default(),
            progress: String::new(),
        };
        assert_eq!(named_in(&nameless), None, "an empty name is everywhere");
    }
}
