//! Renumbering: objects of a sample get other numbers, consistently.
//!
//! Scenes repeat in the training games, so a network would learn numbers by heart. With numbers drawn anew for every
//! sample it must copy them from the frame. Places keep their numbers: the scene lists them, and searches ascend.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stride_agent::places::NameList;
use stride_agent::transition::FrameText;

/// Highest number an object gets; kinds with more objects than this in a sample keep their numbers.
const HIGHEST: u32 = 9;

/// Gives the objects of one sample new numbers, the same in frame and utterance.
pub fn renumber(state: &FrameText, utterance: &str, rng: &mut impl Rng) -> (FrameText, String) {
    let places: NameList = state.as_frame().scene().parse().unwrap_or_default();
    let mut renamer = Renamer {
        places: &places,
        kinds: BTreeMap::new(),
        seed: rng.random(),
    };
    let state = state.edited(&mut |text| renamer.text(text));
    let utterance = renamer.text(utterance);
    (state, utterance)
}

struct Renamer<'a> {
    places: &'a NameList,
    /// For every kind the new number of each old one.
    kinds: BTreeMap<String, Vec<u32>>,
    seed: u64,
}

impl Renamer<'_> {
    fn text(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + 8);
        let mut previous = "";
        let mut rest = text;
        while !rest.is_empty() {
            let word_end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(word_end);
            match word.parse::<u32>() {
                Ok(number) if is_kind(previous) => {
                    out.push_str(&self.number(previous, number).to_string());
                }
                _ => out.push_str(word),
            }
            let gap_end = after
                .find(|c: char| c.is_ascii_alphanumeric())
                .unwrap_or(after.len());
            let (gap, tail) = after.split_at(gap_end);
            out.push_str(gap);
            // Only a single space joins a kind and its number.
            previous = if gap == " " { word } else { "" };
            rest = tail;
        }
        out
    }

    fn number(&mut self, kind: &str, number: u32) -> u32 {
        // `drawer 1 to 3`: the word before the second number is no kind.
        if kind == "to" || !self.places.numbers(kind).is_empty() || !(1..=HIGHEST).contains(&number)
        {
            return number;
        }
        if !self.kinds.contains_key(kind) {
            // By kind, not by the order in which kinds come: all frames of a step agree.
            let name = kind.bytes().fold(self.seed, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
            let mut numbers: Vec<u32> = (1..=HIGHEST).collect();
            numbers.shuffle(&mut ChaCha8Rng::seed_from_u64(name));
            self.kinds.insert(kind.to_owned(), numbers);
        }
        self.kinds[kind][number as usize - 1]
    }
}

fn is_kind(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_change_consistently_and_places_stay() {
        let state = FrameText::Low {
            scene: "cabinet 1 to 3, desk 1".into(),
            observation: "On the desk 1, you see a mug 2, and a mug 1.".into(),
            subtask: "find and take mug".into(),
            progress: "At desk 1, mug 2 is here. || [Checked: cabinet 1 to 3]".into(),
        };
        let mut changed = false;
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (after, utterance) = renumber(&state, "take mug 2 from desk 1; True", &mut rng);
            let FrameText::Low {
                scene,
                observation,
                progress,
                ..
            } = &after
            else {
                panic!("the level changed");
            };
            let new = utterance.split(' ').nth(2).unwrap();
            assert_eq!(scene, "cabinet 1 to 3, desk 1");
            assert_eq!(utterance, format!("take mug {new} from desk 1; True"));
            assert!(observation.starts_with(&format!("On the desk 1, you see a mug {new},")));
            assert_eq!(
                progress,
                &format!("At desk 1, mug {new} is here. || [Checked: cabinet 1 to 3]")
            );
            changed |= new != "2";
        }
        assert!(changed);
    }
}
