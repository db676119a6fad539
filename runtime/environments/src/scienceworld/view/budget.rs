//! Ordered truncation: what is left out when a view is longer than a frame holds (method section 12.5).
//!
//! Feedback comes first, then the inventory and the doors, then the room's things in the simulator's order. What goes first
//! is furniture and pictures with nothing on them, then the books on shelves, then the room's last things, and the last of
//! the inventory when the room has none left. `...` ends a feedback that was cut and a room whose last things are missing;
//! furniture and books go without it.

use super::{Thing, View};

/// Bytes of one feedback: the longest useful ones are the choices of an ambiguous request.
const FEEDBACK: usize = 400;

/// Furniture and pictures that no task asks for unless something lies on them.
const SCENERY: [&str; 8] = [
    "chair",
    "table",
    "couch",
    "desk",
    "painting",
    "drawing",
    "picture",
    "finger painting",
];

/// What stands where something was left out.
const MISSING: &str = "...";

/// The view as text, at most `most` bytes long; a feedback takes half of them at most.
pub(super) fn fit(mut view: View, most: usize) -> String {
    let feedback = FEEDBACK.min(most / 2);
    if view.feedback.len() > feedback {
        cut(&mut view.feedback, feedback.saturating_sub(MISSING.len()));
        view.feedback.push_str(MISSING);
    }
    let mut text = view.to_string();
    if text.len() <= most {
        return text;
    }
    view.things.retain(|thing| !is_scenery(thing));
    text = view.to_string();
    while text.len() > most && shorten(&mut view) {
        text = view.to_string();
    }
    cut(&mut text, most);
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
    thing.contents().is_empty() && SCENERY.contains(&thing.name.as_str())
}

/// Leaves out the books of a shelf, or one more thing; false when there is nothing to leave out.
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

#[cfg(test)]
mod tests {
    use stride_firmware_config::capacity;

    use super::super::Door;
    use super::*;

    fn named(name: &str, contents: Option<Vec<Thing>>) -> Thing {
        Thing {
            name: name.to_owned(),
            contents,
            ..Thing::default()
        }
    }

    /// A kitchen with a picture, a shelf of books and so many jars.
    fn kitchen(feedback: &str, books: usize, jars: usize) -> View {
        let book = |n| named(&format!("book number {n} of a long row"), None);
        let jar = |n| named(&format!("glass jar number {n}"), Some(Vec::new()));
        let mut things = vec![
            named("chair", Some(Vec::new())),
            named("table", Some(vec![named("red apple", None)])),
            named("book shelf", Some((0..books).map(book).collect())),
            named("picture", None),
        ];
        things.extend((0..jars).map(jar));
        View {
            feedback: feedback.to_owned(),
            room: "kitchen".to_owned(),
            things,
            doors: vec![Door {
                to: "hallway".to_owned(),
                open: true,
            }],
            holding: vec![named("orange", None)],
        }
    }

    /// Fits, and is still a view with feedback, doors and inventory.
    fn fitted(view: View) -> View {
        let (feedback, doors) = (view.feedback.clone(), view.doors.clone());
        let text = fit(view, capacity::OBSERVATION);
        assert!(text.len() <= capacity::OBSERVATION, "{}", text.len());
        let seen = View::read(&text);
        assert_eq!((&seen.feedback, &seen.doors), (&feedback, &doors), "{text}");
        assert!(seen.holds("orange"), "{text}");
        seen
    }

    #[test]
    fn what_fits_is_left_alone() {
        let view = kitchen("Done.", 2, 2);
        assert_eq!(fit(view.clone(), capacity::OBSERVATION), view.to_string());
    }

    #[test]
    fn scenery_goes_before_books_and_books_before_things() {
        let missing = |view: &View, name: &str| view.find(name).is_none();
        let books = |view: &View| view.find("book shelf").unwrap().contents().len();

        // Ten bytes too long: the chair alone would do, but scenery goes all at once.
        let short = kitchen("x", 2, 30).to_string().len();
        let full = kitchen(&"x".repeat(capacity::OBSERVATION + 11 - short), 2, 30);
        assert_eq!(full.to_string().len(), capacity::OBSERVATION + 10);
        let view = fitted(full);
        assert!(missing(&view, "chair") && missing(&view, "picture"));
        assert!(view.things.len() == 32 && books(&view) == 2, "{view}");
        assert!(missing(&view, MISSING), "{view}");

        let view = fitted(kitchen("Done.", 20, 20));
        assert!(missing(&view, "chair") && books(&view) == 0, "{view}");
        assert!(view.find("table").unwrap().contains("red apple"));
        assert!(view.find("glass jar number 19").is_some(), "{view}");

        let view = fitted(kitchen("Done.", 20, 200));
        assert_eq!(view.things.last().unwrap().name, MISSING, "{view}");
        let kept = view.things.len() - 3;
        assert_eq!(
            view.things[1 + kept].name,
            format!("glass jar number {}", kept - 1)
        );
        let longer = view.to_string().len() + format!("; glass jar number {kept} []").len();
        assert!(longer > capacity::OBSERVATION, "as much as fits: {view}");
    }

    #[test]
    fn a_long_feedback_is_cut_at_a_character() {
        let text = fit(
            kitchen(&"\u{e9}".repeat(1000), 20, 200),
            capacity::OBSERVATION,
        );
        assert!(text.len() <= capacity::OBSERVATION, "{}", text.len());
        let view = View::read(&text);
        assert!(view.feedback.ends_with("\u{e9}..."), "{view}");
        assert!((FEEDBACK - 1..=FEEDBACK).contains(&view.feedback.len()));
        assert!(view.holds("orange") && view.door("hallway") == Some(true));
    }

    #[test]
    fn even_doors_and_inventory_without_end_fit() {
        let mut view = kitchen("Done.", 0, 0);
        view.holding = vec![named("orange", None); 500];
        let text = fit(view.clone(), capacity::OBSERVATION);
        assert!(text.len() <= capacity::OBSERVATION && View::read(&text).holds("orange"));
        view.doors = vec![view.doors.remove(0); 500];
        let text = fit(view, capacity::OBSERVATION);
        assert_eq!(text.len(), capacity::OBSERVATION);
        assert!(text.starts_with("Done. | kitchen: "), "{text}");
    }

    #[test]
    fn cuts_never_split_a_character() {
        for most in 0..8 {
            let mut text = "a\u{e9}\u{1f600}".to_owned();
            cut(&mut text, most);
            assert!(text.len() <= most && "a\u{e9}\u{1f600}".starts_with(&text));
        }
    }
}
