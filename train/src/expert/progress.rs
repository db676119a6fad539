//! Local progress: a sentence about where the agent stands, and for searches the places that were checked.
//!
//! The text follows method section 8: one short sentence, then (mode A, searches) `|| [Checked: …]`, inherited and monotonic;
//! a place is added only after an observation that shows the target absent. Everything is observed, nothing is planned.

use std::fmt;

use stride_agent::places::{Name, NameList};
use stride_firmware_config::frame::NO_PROGRESS;

use super::observation::{self, Seen};
use super::subtask::{self, Subtask};

/// What the last action brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Nothing worth a word: the agent stands there.
    Ready,
    /// The place is closed.
    Closed,
    /// The searched kind is not in this place.
    Absent(String),
    /// This is what is searched.
    Here(Name),
    /// An action with this verb had no effect.
    Failed(String),
    /// The agent holds this.
    Holding(Name),
    /// The agent holds nothing.
    HandsEmpty,
    /// The agent has put this down.
    Placed(Name),
    /// The agent has cleaned, heated or cooled this.
    Treated(String, Name),
    /// The agent has switched this on.
    TurnedOn(Name),
}

/// A local progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalProgress {
    /// The place where the agent stands, as far as this subtask knows.
    pub at: Option<Name>,
    /// What the last action brought.
    pub note: Note,
    /// Places where the target is not.
    pub checked: NameList,
}

impl LocalProgress {
    /// Nothing is known yet.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            at: None,
            note: Note::Ready,
            checked: NameList::default(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => write!(f, "ready"),
            Self::Closed => write!(f, "it is closed"),
            Self::Absent(kind) => write!(f, "no {kind}"),
            Self::Here(name) => write!(f, "{name} is here"),
            Self::Failed(verb) => write!(f, "{verb} failed"),
            Self::Holding(name) => write!(f, "holding {name}"),
            Self::HandsEmpty => write!(f, "hands empty"),
            Self::Placed(name) => write!(f, "placed {name}"),
            Self::Treated(how, name) => write!(f, "{how} {name}"),
            Self::TurnedOn(name) => write!(f, "turned on {name}"),
        }
    }
}

impl fmt::Display for LocalProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "At {at}, {}.", self.note)?,
            None => write!(f, "Somewhere, {}.", self.note)?,
        }
        if !self.checked.is_empty() {
            write!(f, " || [Checked: {}]", self.checked)?;
        }
        Ok(())
    }
}

/// Reads a progress back. What cannot be read (a text that a network garbled) is unknown, part by part.
#[must_use]
pub fn read(text: &str) -> LocalProgress {
    let mut progress = LocalProgress::unknown();
    if text.is_empty() || text == NO_PROGRESS {
        return progress;
    }
    let (sentence, tail) = text.split_once(" || ").unwrap_or((text, ""));
    if let Some(list) = tail
        .strip_prefix("[Checked: ")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        progress.checked = list.parse().unwrap_or_default();
    }
    let sentence = sentence.trim_end_matches('.');
    let (place, note) = sentence.split_once(", ").unwrap_or((sentence, ""));
    progress.at = place.strip_prefix("At ").and_then(|name| name.parse().ok());
    progress.note = read_note(note).unwrap_or(Note::Ready);
    progress
}

fn read_note(note: &str) -> Option<Note> {
    let words: Vec<&str> = note.split(' ').collect();
    let name = |kind: &str, number: &str| format!("{kind} {number}").parse::<Name>().ok();
    Some(match words.as_slice() {
        ["it", "is", "closed"] => Note::Closed,
        ["hands", "empty"] => Note::HandsEmpty,
        ["no", kind] => Note::Absent((*kind).into()),
        [verb, "failed"] => Note::Failed((*verb).into()),
        [kind, number, "is", "here"] => Note::Here(name(kind, number)?),
        ["holding", kind, number] => Note::Holding(name(kind, number)?),
        ["placed", kind, number] => Note::Placed(name(kind, number)?),
        ["turned", "on", kind, number] => Note::TurnedOn(name(kind, number)?),
        [how @ ("cleaned" | "heated" | "cooled"), kind, number] => {
            Note::Treated((*how).into(), name(kind, number)?)
        }
        _ => return None,
    })
}

/// Rewrites the progress after an action (the expert's π^p).
#[must_use]
pub fn rewrite(
    scene: &str,
    observation: &str,
    subtask: &str,
    progress: &str,
    action: &str,
) -> LocalProgress {
    let before = read(progress);
    let subtask = subtask::read(subtask);
    let (at, note) = match observation::read(observation) {
        Seen::Contents { place, items } => {
            let note = match subtask.as_ref().and_then(Subtask::target) {
                None => Note::Ready,
                Some((kind, _)) => items
                    .into_iter()
                    .find(|item| subtask.as_ref().is_some_and(|s| s.wants(item)))
                    .map_or_else(|| Note::Absent(kind.to_owned()), Note::Here),
            };
            (Some(place), note)
        }
        Seen::Closed(place) => (Some(place), Note::Closed),
        Seen::PickedUp { object, place } => (place, Note::Holding(object)),
        Seen::Placed { object, place } => (place, Note::Placed(object)),
        Seen::Treated { how, object, place } => (place, Note::Treated(how.to_owned(), object)),
        Seen::TurnedOn(object) => (None, Note::TurnedOn(object)),
        Seen::Carrying(Some(object)) => (None, Note::Holding(object)),
        Seen::Carrying(None) => (None, Note::HandsEmpty),
        Seen::Nothing => failed(scene, action),
        Seen::Other => (None, before.note),
    };
    let mut after = LocalProgress {
        at: at.or(before.at),
        note,
        checked: before.checked,
    };
    if let (Note::Absent(_), Some(at)) = (&after.note, &after.at) {
        after.checked.insert(&at.kind, at.number);
    }
    let found = matches!(&after.note, Note::Holding(name) if subtask.as_ref().is_some_and(|s| s.wants(name)));
    if found || subtask.as_ref().and_then(Subtask::target).is_none() {
        after.checked = NameList::default();
    }
    after
}

/// An action without effect. Going where one stands has none either, so a failed `go to` tells the place.
fn failed(scene: &str, action: &str) -> (Option<Name>, Note) {
    const VERBS: [&str; 12] = [
        "go",
        "open",
        "close",
        "examine",
        "take",
        "move",
        "use",
        "clean",
        "heat",
        "cool",
        "inventory",
        "look",
    ];
    let verb = action.split(' ').next().unwrap_or("");
    let verb = if VERBS.contains(&verb) {
        verb
    } else {
        "action"
    };
    let at = action
        .strip_prefix("go to ")
        .and_then(|name| name.parse::<Name>().ok())
        .filter(|name| {
            scene
                .parse::<NameList>()
                .is_ok_and(|places| places.contains(&name.kind, name.number))
        });
    (at, Note::Failed(verb.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENE: &str = "cabinet 1 to 4, desk 1, fridge 1";

    fn step(progress: &str, action: &str, observation: &str) -> String {
        rewrite(SCENE, observation, "find and take mug", progress, action).to_string()
    }

    #[test]
    fn a_search_is_annotated_as_in_mode_a() {
        let p1 = step(
            "None",
            "go to cabinet 1",
            "You arrive at cabinet 1. The cabinet 1 is closed.",
        );
        assert_eq!(p1, "At cabinet 1, it is closed.");
        let p2 = step(
            &p1,
            "open cabinet 1",
            "You open the cabinet 1. The cabinet 1 is open. In it, you see a plate 1.",
        );
        assert_eq!(p2, "At cabinet 1, no mug. || [Checked: cabinet 1]");
        let p3 = step(&p2, "open cabinet 1", "Nothing happens.");
        assert_eq!(p3, "At cabinet 1, open failed. || [Checked: cabinet 1]");
        let p4 = step(
            &p3,
            "go to desk 1",
            "You arrive at desk 1. On the desk 1, you see a pen 1, a mug 3, and a mug 1.",
        );
        assert_eq!(p4, "At desk 1, mug 3 is here. || [Checked: cabinet 1]");
        let p5 = step(
            &p4,
            "take mug 3 from desk 1",
            "You pick up the mug 3 from the desk 1.",
        );
        assert_eq!(p5, "At desk 1, holding mug 3.");
        for text in [p1, p2, p3, p4, p5] {
            assert_eq!(read(&text).to_string(), text, "reads back");
        }
    }

    #[test]
    fn garbled_text_is_unknown_not_an_error() {
        assert_eq!(read("At , || [Checked: x]"), LocalProgress::unknown());
        assert_eq!(read("None"), LocalProgress::unknown());
    }
}
