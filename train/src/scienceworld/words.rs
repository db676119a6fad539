//! Names that nobody knows, so that they must be copied from the frame.

use rand::Rng;
use rand::seq::IndexedRandom;

/// Words that names begin with.
const FIRST: [&str; 32] = [
    "gold", "tin", "copper", "iron", "zinc", "silver", "steel", "brass", "glass", "plastic",
    "wooden", "paper", "ceramic", "rubber", "cork", "stone", "wax", "lemon", "pear", "plum",
    "grape", "pine", "sugar", "cotton", "marble", "velvet", "garden", "winter", "coconut", "whale",
    "tiger", "meadow",
];

/// Words that names end with.
const LAST: [&str; 28] = [
    "fork", "spoon", "plate", "coin", "nail", "key", "ring", "bottle", "button", "brush", "block",
    "sheet", "powder", "cube", "rod", "bead", "cream", "clip", "fruit", "berry", "juice", "wire",
    "bread", "candle", "hopper", "flower", "fish", "stick",
];

/// A name of one word or two.
pub fn name(rng: &mut impl Rng) -> String {
    if rng.random_bool(0.6) {
        word(rng)
    } else {
        format!("{} {}", word(rng), word(rng))
    }
}

/// A name that begins or ends as `other` does, so that a part of a name is not mistaken for the whole.
pub fn similar(other: &str, rng: &mut impl Rng) -> String {
    match other.split_once(' ') {
        Some((first, _)) if rng.random_bool(0.5) => format!("{first} {}", word(rng)),
        Some((_, last)) => format!("{} {last}", word(rng)),
        None if rng.random_bool(0.5) => format!("{other} {}", word(rng)),
        None => {
            // Its first letters and others: grape and grapefruit, salt and salmon.
            let kept = other
                .char_indices()
                .nth(4)
                .map_or(other.len(), |(at, _)| at);
            format!("{}{}", &other[..kept], syllables(rng))
        }
    }
}

/// A word: a real one, two halves of real ones, or syllables.
pub fn word(rng: &mut impl Rng) -> String {
    let real = |rng: &mut _| {
        let list: &[&str] = if Rng::random_bool(rng, 0.5) {
            &FIRST
        } else {
            &LAST
        };
        list.choose(rng).copied().unwrap_or("thing")
    };
    match rng.random_range(0..4) {
        0 => real(rng).to_owned(),
        1 => {
            let (one, other) = (real(rng), real(rng));
            // The words are ASCII, so every cut is one between characters.
            let (end, start) = (
                rng.random_range(1..=one.len()),
                rng.random_range(0..other.len()),
            );
            format!("{}{}", &one[..end], &other[start..])
        }
        _ => syllables(rng),
    }
}

/// One to three syllables.
fn syllables(rng: &mut impl Rng) -> String {
    const CONSONANTS: &[u8] = b"bcdfghjklmnprstvwxz";
    const VOWELS: &[u8] = b"aeiouy";
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn names_are_many_and_plain() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let names: BTreeSet<String> = (0..1000).map(|_| name(&mut rng)).collect();
        assert!(names.len() > 900, "{}", names.len());
        let is_plain = |name: &String| {
            let mut words = name.split(' ');
            words.all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
        };
        assert!(names.iter().all(is_plain));
    }

    #[test]
    fn similar_names_share_a_part() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..50 {
            let one = similar("paper clip", &mut rng);
            assert!(one.starts_with("paper ") || one.ends_with(" clip"), "{one}");
            let other = similar("grape", &mut rng);
            assert!(other.starts_with("grap") && other != "grape", "{other}");
            assert!(similar("ice", &mut rng).starts_with("ice"));
        }
    }
}
