//! Finds numbered names in free text.

use stride_agent::places::{MAX_NUMBER, NameList};

/// Adds every name and every name of a range in `text`.
pub(super) fn collect(text: &str, names: &mut NameList) {
    let words: Vec<&str> = text.split(' ').collect();
    for (at, pair) in words.windows(2).enumerate() {
        let (Some(kind), Some((first, whole))) = (kind(pair[0]), number(pair[1])) else {
            continue;
        };
        let last = match words.get(at + 2..at + 4) {
            Some(["to", word]) if whole => number(word).map_or(first, |(last, _)| last),
            _ => first,
        };
        // A falling "range" is two words that happen to meet: only its first name counts.
        for number in first..=last.max(first) {
            names.insert(kind, number);
        }
    }
}

/// The kind at the end of a word: lower-case letters, with anything but a letter or digit before them.
fn kind(word: &str) -> Option<&str> {
    let start = word
        .rfind(|c: char| !c.is_ascii_lowercase())
        .map_or(0, |at| {
            at + word[at..].chars().next().map_or(1, char::len_utf8)
        });
    let before = word[..start].chars().next_back();
    let kind = &word[start..];
    // `to` joins the ends of a range.
    let named = !kind.is_empty() && kind != "to" && !before.is_some_and(char::is_alphanumeric);
    named.then_some(kind)
}

/// The number at the start of a word, and whether the word is nothing but the number.
fn number(word: &str) -> Option<(u32, bool)> {
    let end = word
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(word.len());
    let (digits, rest) = word.split_at(end);
    if rest.chars().next().is_some_and(char::is_alphanumeric) || digits.starts_with('0') {
        return None;
    }
    let number = digits.parse().ok().filter(|n| *n <= MAX_NUMBER)?;
    Some((number, rest.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        let mut list = NameList::default();
        collect(text, &mut list);
        list.to_string()
    }

    #[test]
    fn names_are_found_beside_punctuation() {
        let text = "On the desk 2, you see a pen 1, and a cd 3. (mug 4) [Checked: shelf 1]";
        assert_eq!(names(text), "desk 2, pen 1, cd 3, mug 4, shelf 1");
    }

    #[test]
    fn ranges_are_expanded() {
        assert_eq!(names("drawer 1 to 3, bed 1."), "drawer 1 to 3, bed 1");
        assert_eq!(names("shelf 2 to 4."), "shelf 2 to 4");
        assert_eq!(names("move egg 2 to fridge 1"), "egg 2, fridge 1");
        assert_eq!(names("shelf 4 to 2"), "shelf 4");
        assert_eq!(names("shelf 4, to 6"), "shelf 4");
        assert_eq!(names("shelf 1 to 4000000000"), "shelf 1");
    }

    #[test]
    fn what_is_no_name_is_left_out() {
        for text in [
            "", "egg", "2", "Egg 2", "EGG 2", "éegg 2", "egg  2", "egg 2nd", "egg2 2", "egg 1000",
            "egg 02", "egg\n2", "egg -2",
        ] {
            assert_eq!(names(text), "", "{text}");
        }
    }
}
