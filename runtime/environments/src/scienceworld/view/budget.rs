//! Ordered truncation: what is left out when a view is longer than a frame holds (method section 12.5).
//!
//! Feedback comes first, then the inventory and the doors, then the room's things in the simulator's order. Things that hold
//! nothing and cannot be switched or opened go first (furniture and pictures), then the contents of shelves, then the last
//! things; `...` says that something is missing.

use stride_firmware_config::capacity;

use super::{Thing, View};

/// Bytes of one feedback: the longest useful ones are the choices of an ambiguous request.
const FEEDBACK: usize = 400;

/// What stands where something was left out.
const MISSING: &str = "...";

/// The view as text, at most [`capacity::OBSERVATION`] bytes long.
pub(super) fn fit(mut view: View) -> String {
    if view.feedback.len() > FEEDBACK {
        cut(&mut view.feedback, FEEDBACK - MISSING.len());
        view.feedback.push_str(MISSING);
    }
    let mut text = view.to_string();
    if text.len() <= capacity::OBSERVATION {
        return text;
    }
    view.things.retain(|thing| !is_scenery(thing));
    text = view.to_string();
    while text.len() > capacity::OBSERVATION && shorten(&mut view) {
        text = view.to_string();
    }
    cut(&mut text, capacity::OBSERVATION);
    text
}

/// Cuts a text to at most so many bytes, at a character.
pub fn cut(text: &mut String, most: usize) {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

fn is_scenery(thing: &Thing) -> bool {
    let empty = thing.contents.as_ref().is_none_or(Vec::is_empty);
    let furniture = [
        "chair",
        "table",
        "couch",
        "desk",
        "painting",
        "drawing",
        "picture",
        "finger painting",
    ];
    empty && furniture.contains(&thing.name.as_str())
}

/// Leaves out one more thing; false when there is nothing to leave out.
fn shorten(view: &mut View) -> bool {
    if let Some(thing) = view
        .things
        .iter_mut()
        .find(|t| t.name == "book shelf" && !t.contents().is_empty())
    {
        thing.contents = Some(Vec::new());
        return true;
    }
    if view.things.last().is_some_and(|last| last.name == MISSING) {
        view.things.pop();
    }
    let left_out = view.things.pop().or_else(|| view.holding.pop());
    if left_out.is_some() && !view.things.is_empty() {
        view.things.push(Thing {
            name: MISSING.to_owned(),
            ..Thing::default()
        });
    }
    left_out.is_some()
}
