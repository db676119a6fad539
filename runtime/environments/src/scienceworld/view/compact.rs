//! Reads a view's own line back.

use super::{Door, Thing, View};

/// Lists nested deeper than this are read as empty, so that a hostile line cannot exhaust the stack. A view of the simulator
/// nests less deep, see [`super::raw`].
const DEPTH: usize = 16;

/// Stages of life that may follow a plant's name.
const STAGES: [&str; 4] = ["seedling", "adult", "reproducing", "dead"];

/// Reads a line. What is not of the view's form becomes feedback.
pub(super) fn view(line: &str) -> View {
    let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
    let Some(at) = parts.iter().position(|part| part.starts_with("doors:")) else {
        return View {
            feedback: line.trim().to_owned(),
            ..View::default()
        };
    };
    let feedback = parts[..at.saturating_sub(1)].join(" | ");
    let (room, things) = at
        .checked_sub(1)
        .and_then(|before| parts[before].split_once(':'))
        .unwrap_or(("", ""));
    let doors = parts[at].trim_start_matches("doors:").trim();
    let holding = parts
        .get(at + 1)
        .map_or("", |part| part.trim_start_matches("holding:").trim());
    View {
        feedback,
        room: room.to_owned(),
        things: list(things, ';', 0),
        doors: doors.split(", ").filter_map(door).collect(),
        holding: if holding == "nothing" {
            Vec::new()
        } else {
            list(holding, ',', 0)
        },
    }
}

fn door(text: &str) -> Option<Door> {
    let (to, state) = text.trim().rsplit_once(' ')?;
    Some(Door {
        to: to.to_owned(),
        open: state == "open",
    })
}

/// Splits at a separator outside brackets.
fn list(text: &str, separator: char, depth: usize) -> Vec<Thing> {
    if depth > DEPTH {
        return Vec::new();
    }
    let mut things = Vec::new();
    let (mut level, mut start) = (0_usize, 0);
    for (at, letter) in text.char_indices() {
        match letter {
            '[' => level += 1,
            ']' => level = level.saturating_sub(1),
            _ if letter == separator && level == 0 => {
                things.extend(thing(&text[start..at], depth));
                start = at + letter.len_utf8();
            }
            _ => {}
        }
    }
    things.extend(thing(&text[start..], depth));
    things
}

fn thing(text: &str, depth: usize) -> Option<Thing> {
    let mut name = text.trim();
    let mut thing = Thing::default();
    if let Some((head, inside)) = name.split_once('[') {
        thing.contents = Some(list(
            inside.strip_suffix(']').unwrap_or(inside),
            ',',
            depth + 1,
        ));
        name = head.trim_end();
    }
    if let Some((head, last)) = name.rsplit_once(' ')
        && matches!(last, "open" | "closed")
    {
        thing.open = Some(last == "open");
        name = head;
    }
    if let Some((head, last)) = name.rsplit_once(' ')
        && is_state(head, last)
    {
        thing.state = Some(last.to_owned());
        name = head;
    }
    name.clone_into(&mut thing.name);
    (!thing.name.is_empty()).then_some(thing)
}

/// `flower pot 3` and `wire terminal 1` are names; only the thermometer has a number for its state.
fn is_state(name: &str, word: &str) -> bool {
    matches!(word, "on" | "off")
        || STAGES.contains(&word)
        || (name == "thermometer" && word.parse::<i32>().is_ok())
}
