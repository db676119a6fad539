//! Names in free utterances: a number may follow a kind only where that name stands in the frame.
//!
//! High-level and progress utterances are free text, but the names in them are copied: from the observation, the last
//! progress, the action, the scene. The guard leaves every other token alone and takes away the numbers that would make
//! a name which stands nowhere in the frame. Where a number is most likely behind a kind of which the frame names none,
//! the kind is taken back as well and another word is chosen in its place: `no cup` instead of an invented `cup 5`. `to` behind a name continues a range of the same kind.

use stride_agent::places::NameList;
use stride_firmware_config::frame::StepFrame;

use super::names;
use crate::native::Token;
use crate::vocabulary::Vocabulary;

/// A token whose text is a number, or part of one.
#[derive(Debug)]
struct Digits {
    token: Token,
    /// It begins with a space: it starts a number.
    starts: bool,
    digits: String,
}

/// The guard of one vocabulary. The names are those of a frame, which [`NameGuard::names`] reads.
#[derive(Debug)]
pub(crate) struct NameGuard {
    digits: Vec<Digits>,
}

impl NameGuard {
    /// Finds the vocabulary's numbers.
    pub(crate) fn new(vocabulary: &Vocabulary) -> Self {
        let digits = vocabulary
            .pieces()
            .filter_map(|(token, piece)| {
                let digits = piece.strip_prefix(' ').unwrap_or(&piece);
                let number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                number.then(|| Digits {
                    token,
                    starts: piece.starts_with(' '),
                    digits: digits.to_owned(),
                })
            })
            .collect();
        Self { digits }
    }

    /// The names of a frame, as far as a policy reads it that reads `completed` issued subtasks.
    pub(crate) fn names(frame: &StepFrame<'_>, completed: usize) -> NameList {
        let mut names = NameList::default();
        frame.segments_within(completed, |segment| {
            names::collect(segment.text, &mut names)
        });
        names
    }

    /// The tokens that may not follow `text`, appended to `forbidden`.
    pub(crate) fn forbid(&self, names: &NameList, text: &str, forbidden: &mut Vec<Token>) {
        let Some((kind, begun)) = expected(text) else {
            return;
        };
        let numbers = names.numbers(kind);
        forbidden.extend(
            self.digits
                .iter()
                // A number that has begun goes on without a space; one that has not begins with one.
                .filter(|d| d.starts == begun.is_empty())
                .filter(|d| !numbers.iter().any(|n| begins_with(*n, begun, &d.digits)))
                .map(|d| d.token),
        );
    }

    /// The kind at the end of `text` when the frame names none of it.
    pub(crate) fn unnamed<'t>(names: &NameList, text: &'t str) -> Option<&'t str> {
        let (kind, begun) = expected(text)?;
        let unnamed = begun.is_empty() && names.numbers(kind).is_empty();
        (unnamed && text.ends_with(kind)).then_some(kind)
    }
}

/// Whether the digits of `number` begin with `begun` and then `more`.
fn begins_with(number: u32, begun: &str, more: &str) -> bool {
    let mut digits = [0_u8; 10];
    let mut rest = number;
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let behind = digits[at..].strip_prefix(begun.as_bytes());
    behind.is_some_and(|behind| behind.starts_with(more.as_bytes()))
}

/// The kind whose number comes next, and its digits so far; `None` where no name is being written.
fn expected(text: &str) -> Option<(&str, &str)> {
    let (before, last) = text.rsplit_once(' ').unwrap_or(("", text));
    if last.is_empty() {
        return None;
    }
    if last.bytes().all(|b| b.is_ascii_digit()) {
        // `egg 1`: the number may go on.
        return kind_of(before).map(|kind| (kind, last));
    }
    if last == "to" {
        // `drawer 1 to`: the end of a range.
        let (front, number) = before.rsplit_once(' ')?;
        let number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        return kind_of(front).filter(|_| number).map(|kind| (kind, ""));
    }
    kind_of(text).map(|kind| (kind, ""))
}

/// The lower-case word at the end of a text, or the kind of the range that it continues.
fn kind_of(text: &str) -> Option<&str> {
    let start = text
        .rfind(|c: char| !c.is_ascii_lowercase())
        .map_or(0, |at| {
            at + text[at..].chars().next().map_or(1, char::len_utf8)
        });
    match &text[start..] {
        "" => None,
        "to" => {
            let (front, _) = text[..start].trim_end().rsplit_once(' ')?;
            kind_of(front)
        }
        kind => Some(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers 1 to 12 behind a space (tokens 1 to 12), and the bare digits 0 to 9 (tokens 100 to 109).
    fn guard(names: &str) -> (NameGuard, NameList) {
        let digits = |token, starts, number: i32| Digits {
            token: Token(token),
            starts,
            digits: number.to_string(),
        };
        let guard = NameGuard {
            digits: (1..=12)
                .map(|n| digits(n, true, n))
                .chain((0..=9).map(|n| digits(100 + n, false, n)))
                .collect(),
        };
        (guard, names.parse().unwrap())
    }

    fn allowed((guard, names): &(NameGuard, NameList), text: &str) -> Vec<i32> {
        let mut forbidden = Vec::new();
        guard.forbid(names, text, &mut forbidden);
        let numbers = guard.digits.iter().map(|d| d.token);
        numbers
            .filter(|token| !forbidden.contains(token))
            .map(|token| token.0)
            .collect()
    }

    #[test]
    fn only_numbers_of_the_frame_may_follow_a_kind() {
        let guard = guard("cd 2, cd 5, drawer 1 to 12");
        let bare = 100..=109;
        let with_bare =
            |numbers: &[i32]| -> Vec<i32> { numbers.iter().copied().chain(bare.clone()).collect() };
        assert_eq!(allowed(&guard, "At drawer 3, cd"), with_bare(&[2, 5]));
        assert_eq!(allowed(&guard, "no cup"), with_bare(&[]));
        // `drawer 1` may become 10, 11 or 12; a new number needs another kind first.
        let spaced: Vec<i32> = (1..=12).collect();
        let going_on: Vec<i32> = spaced.iter().copied().chain([100, 101, 102]).collect();
        assert_eq!(allowed(&guard, "At drawer 1"), going_on);
        assert_eq!(allowed(&guard, "drawer 1 to"), with_bare(&spaced));
        assert_eq!(allowed(&guard, "ready.").len(), guard.0.digits.len());
    }

    #[test]
    fn kinds_without_a_name_are_known() {
        let (_, names) = guard("cd 2");
        assert_eq!(NameGuard::unnamed(&names, "At desk 1, cup"), Some("cup"));
        assert_eq!(NameGuard::unnamed(&names, "At desk 1, cd"), None);
        assert_eq!(NameGuard::unnamed(&names, "At desk 1"), None);
    }

    #[test]
    fn digits_begin_numbers_as_their_texts_do() {
        for number in 0..1300_u32 {
            for more in ["0", "1", "12", "00", "129", "1299", "5"] {
                for begun in ["", "1", "12", "9"] {
                    let expected = number.to_string().starts_with(&format!("{begun}{more}"));
                    assert_eq!(
                        begins_with(number, begun, more),
                        expected,
                        "{number} {begun} {more}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_in_the_making_are_recognised() {
        assert_eq!(expected("At desk"), Some(("desk", "")));
        assert_eq!(expected("At desk 1"), Some(("desk", "1")));
        assert_eq!(expected("At desk 1, cd"), Some(("cd", "")));
        assert_eq!(expected("[Checked: drawer 1 to"), Some(("drawer", "")));
        assert_eq!(expected("[Checked: drawer 1 to 1"), Some(("drawer", "1")));
        assert_eq!(expected("At desk 1, no cd."), None);
        assert_eq!(expected(""), None);
        assert_eq!(expected("At desk 1, "), None);
    }
}
