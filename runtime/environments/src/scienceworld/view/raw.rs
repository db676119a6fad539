//! Reads the sentences of the simulator's `look around` and `inventory`.
//!
//! The grammar, from its descriptions: a thing is a name with an article, then any of `, which is STATE`, `, currently
//! reading a temperature of N degrees celsius`, `. The NAME door is open|closed.`, `. In|On the NAME is: LIST.`,
//! `. On the NAME you see: LIST.` and ` (containing LIST)`; a list is separated by commas, or `nothing`.

use super::{Door, Thing, View};

/// Lists nested deeper than this are left out with what follows them, so that a hostile text cannot exhaust the stack. The
/// simulator nests four.
const DEPTH: usize = 8;

/// Reads the three texts of one step.
pub(super) fn view(feedback: &str, look: &str, inventory: &str) -> View {
    let mut view = View {
        feedback: if feedback.trim() == look.trim() {
            String::new()
        } else {
            one_line(feedback)
        },
        ..View::default()
    };
    for line in look.lines() {
        if let Some(room) = room(line) {
            room.clone_into(&mut view.room);
        } else if let Some(door) = door(line.trim()) {
            view.doors.push(door);
        } else if line.starts_with('\t') {
            view.things.extend(thing(line.trim()).filter(seen));
        }
    }
    for line in inventory.lines().filter(|line| line.starts_with('\t')) {
        view.holding.extend(thing(line.trim()));
    }
    view
}

/// The agent itself and the air are everywhere and tell nothing.
fn seen(thing: &Thing) -> bool {
    thing.name != "agent" && thing.name != "air"
}

/// Line breaks, the view's own separator and double spaces removed.
fn one_line(text: &str) -> String {
    text.replace('|', "/")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn room(line: &str) -> Option<&str> {
    let (_, name) = line.split_once(" is called the ")?;
    if !line.starts_with("This ") {
        return None;
    }
    name.split_once('.').map(|(name, _)| name)
}

fn door(line: &str) -> Option<Door> {
    let rest = line.strip_prefix("A door to the ")?;
    let (to, state) = rest.split_once(" (that is ")?;
    Some(Door {
        to: to.to_owned(),
        open: state.starts_with("open"),
    })
}

fn thing(text: &str) -> Option<Thing> {
    let mut cursor = Cursor {
        rest: without_terminals(text),
    };
    let thing = cursor.thing(0);
    (!thing.name.is_empty()).then_some(thing)
}

/// In the inventory the simulator glues to an electrical part what each of its ends is connected to.
fn without_terminals(text: &str) -> &str {
    let end = ["its terminal 1 is connected", ". its anode is connected"]
        .iter()
        .filter_map(|start| text.find(start))
        .min()
        .unwrap_or(text.len());
    text[..end].trim_end()
}

struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, prefix: &str) -> bool {
        self.rest
            .strip_prefix(prefix)
            .map(|rest| self.rest = rest)
            .is_some()
    }

    /// Text up to the first of these characters, which stay.
    fn until(&mut self, ends: &[char]) -> &'a str {
        let end = self.rest.find(ends).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        text
    }

    /// A name: up to a comma, a full stop, or a parenthesis, except parentheses that belong to it (`book (Frankenstein)`).
    fn name(&mut self) -> String {
        let mut name = String::new();
        loop {
            name.push_str(self.until(&[',', '.', '(', ')']));
            if !self.rest.starts_with('(') || self.rest.starts_with("(containing ") {
                break;
            }
            let end = self.rest.find(')').map_or(self.rest.len(), |at| at + 1);
            let (inside, rest) = self.rest.split_at(end);
            name.push_str(inside);
            self.rest = rest;
        }
        name.trim().to_owned()
    }

    fn thing(&mut self, depth: usize) -> Thing {
        let mut thing = Thing::default();
        let name = self.name();
        named(&mut thing, &name);
        loop {
            if self.eat(", which is ") {
                match self.until(&[',', '.', ')', '(']).trim() {
                    // A drain is open or closed as a cupboard is.
                    door @ ("open" | "closed") => thing.open = Some(door == "open"),
                    state => thing.state = Some(switched(state)),
                }
            } else if self.eat(", currently reading a temperature of ") {
                let reading = self.until(&[' ', ',', ')']);
                thing.state = Some(reading.to_owned());
                self.eat(" degrees celsius");
            } else if self.eat("(containing ") {
                thing.contents = Some(self.list(depth + 1));
                self.eat(")");
            } else if self.rest.starts_with(". The ") && self.clause().contains(" door is ") {
                thing.open = Some(self.clause().ends_with("open"));
                self.rest = &self.rest[2..];
                self.until(&['.']);
            } else if let Some(list) = self.contents() {
                self.rest = list;
                thing.contents = Some(self.list(depth + 1));
                // The full stop of the list, and the one that a nested sentence leaves.
                self.eat(".");
            } else {
                // What closes a sentence, and not the list around it.
                if self.rest.trim_start_matches(['.', ' ']).is_empty() {
                    self.rest = "";
                }
                return thing;
            }
            self.rest = self.rest.trim_start_matches(' ');
        }
    }

    /// The sentence behind `. `, without its full stop.
    fn clause(&self) -> &'a str {
        let text = &self.rest[2..];
        text.split('.').next().unwrap_or("")
    }

    /// Behind `. In the X is: ` and its like, which may follow a full stop that was read already.
    fn contents(&self) -> Option<&'a str> {
        let text = self.rest.trim_start_matches(['.', ' ']);
        if !(text.starts_with("In the ") || text.starts_with("On the ")) {
            return None;
        }
        let (head, list) = text.split_once(": ")?;
        (head.ends_with(" is") || head.ends_with(" you see")).then_some(list)
    }

    fn list(&mut self, depth: usize) -> Vec<Thing> {
        let mut things = Vec::new();
        if depth > DEPTH {
            return things;
        }
        loop {
            let before = self.rest.len();
            if self.eat("nothing") {
                return things;
            }
            let thing = self.thing(depth);
            if !thing.name.is_empty() {
                things.push(thing);
            }
            self.rest = self.rest.trim_start_matches(' ');
            // A plant's sentence ends with `. ` before the comma of the list around it.
            if !self.eat(", ") || self.rest.len() == before {
                return things;
            }
        }
    }
}

fn named(thing: &mut Thing, text: &str) {
    let mut name = text;
    for article in ["a ", "an ", "A ", "An ", "the "] {
        if let Some(rest) = name.strip_prefix(article) {
            name = rest;
            break;
        }
    }
    name = name.strip_prefix("substance called ").unwrap_or(name);
    if let Some((plant, stage)) = name.split_once(" in the ")
        && let Some((stage, _)) = stage.split_once(" stage")
    {
        name = plant;
        // An `apple seed in the seed stage` says so already.
        thing.state = (!plant.ends_with(stage)).then(|| stage.to_owned());
    }
    name.clone_into(&mut thing.name);
}

fn switched(state: &str) -> String {
    match state {
        "turned on" | "activated" => "on".to_owned(),
        "turned off" | "deactivated" => "off".to_owned(),
        other => other.to_owned(),
    }
}
