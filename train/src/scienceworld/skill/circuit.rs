//! `wire battery and red light bulb in a circuit` and `wire battery, red light bulb and apricot in a circuit`.
//!
//! The parts are joined in a ring, with a wire between each two of them: source, wire, device, wire, (object, wire,) source.
//! The progress names the ring as far as it is closed (method section 8, mode D): a connection is an edge between two
//! neighbours of the list, so the next connection follows from the list's end. The wires are taken in the order of the view.

use stride_environments::scienceworld::view::View;

use super::names::{self, is_named};
use super::{Action, Skill, noted, with_note};

/// What the progress calls the ring.
const CONNECTIONS: &str = "Connections";

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circuit {
    source: String,
    device: String,
    object: Option<String>,
}

/// The subtask's sentence, without an object to test.
#[must_use]
pub fn sentence(source: &str, device: &str) -> String {
    format!("wire {source} and {device} in a circuit")
}

/// The subtask's sentence with an object whose conductivity the device shows.
#[must_use]
pub fn sentence_with(source: &str, device: &str, object: &str) -> String {
    format!("wire {source}, {device} and {object} in a circuit")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Circuit> {
    let parts = subtask
        .strip_prefix("wire ")?
        .strip_suffix(" in a circuit")?;
    let (first, last) = parts.rsplit_once(" and ")?;
    let (source, device, object) = match first.split_once(", ") {
        Some((source, device)) => (source, device, Some(last.to_owned())),
        None => (first, last, None),
    };
    Some(Circuit {
        source: source.to_owned(),
        device: device.to_owned(),
        object,
    })
}

/// Generators that run only when they are switched on; the sun and the wind need no switch.
const SWITCHED: [&str; 2] = ["gas generator", "nuclear generator"];

/// What the simulator says of a terminal that is in use.
const TAKEN: &str = " is already connected, and must be disconnected";

impl Skill for Circuit {
    fn act(&self, view: &View, progress: &str) -> Action {
        if let Some((taken, _)) = view.feedback.split_once(TAKEN) {
            return Action::go_on(format!("disconnect {}", component(taken)));
        }
        let source = view.find(&self.source);
        if SWITCHED.contains(&self.source.as_str()) && source.is_some_and(|s| !s.is_on()) {
            return Action::go_on(format!("activate {}", self.source));
        }
        let ring = ring(progress);
        if is_closed(&ring, &self.source) {
            // The current needs a moment; without an object to test the device goes on at last.
            let lit = view.find(&self.device).is_some_and(|d| d.is_on());
            return if lit || self.object.is_some() {
                Action::finish("wait1")
            } else {
                Action::go_on("wait1")
            };
        }
        let from = ring.last().copied().unwrap_or(self.source.as_str());
        let seen = |part: &&str| names::find(view, part).is_some();
        match self.after(from, &ring, view).filter(seen) {
            Some(to) if seen(&from) => Action::go_on(format!(
                "connect {from} {} to {to} {}",
                self.exit(from),
                self.entry(to)
            )),
            _ => Action::give_back(),
        }
    }

    fn rewrite(&self, view: &View, progress: &str, _action: &str) -> String {
        let mut ring = ring(progress);
        let edge = view.feedback.split_once(" is now connected to ");
        if let Some((from, to)) = edge.map(|(from, to)| (self.part(from), self.part(to))) {
            if ring.is_empty() && from == self.source {
                ring.push(self.source.as_str());
            }
            if ring.last() == Some(&from) {
                ring.push(to);
            }
        } else if let Some(cut) = view.feedback.strip_suffix(" has been disconnected") {
            cut_at(&mut ring, self.part(cut));
        } else if let Some((cut, _)) = view
            .feedback
            .strip_prefix("(disconnecting ")
            .and_then(|rest| rest.split_once(')'))
        {
            cut_at(&mut ring, self.part(cut));
        }
        let state = view.find(&self.device).and_then(|d| d.state.as_deref());
        let state = state.unwrap_or("out of sight");
        let sentence = format!("The {} is {state}.", self.device);
        with_note(&sentence, CONNECTIONS, &ring.join(" - "))
    }
}

fn is_closed(ring: &[&str], source: &str) -> bool {
    ring.len() > 1 && ring.last() == Some(&source)
}

/// Whether the device of a ring with this source went on, as the final progress of the subtask says; `None` when the ring was not
/// closed, so that it shows nothing.
#[must_use]
pub fn result(progress: &str, source: &str) -> Option<bool> {
    let (sentence, _) = progress.split_once(" || ")?;
    is_closed(&ring(progress), source).then(|| sentence.ends_with(" is on."))
}

impl Circuit {
    /// The part behind this one; `None` when no wire is left in sight.
    fn after<'a>(&'a self, from: &str, ring: &[&str], view: &'a View) -> Option<&'a str> {
        if is_wire(from) {
            // Every second place of the ring is a wire's.
            return Some(match (ring.len() / 2, &self.object) {
                (0 | 1, _) => &self.device,
                (2, Some(object)) => object,
                _ => &self.source,
            });
        }
        view.everything()
            .map(|thing| thing.name.as_str())
            .find(|name| is_wire(name) && !ring.contains(name))
    }

    fn entry(&self, part: &str) -> &'static str {
        if part == self.device || part == self.source {
            "cathode"
        } else {
            "terminal 1"
        }
    }

    fn exit(&self, part: &str) -> &'static str {
        if part == self.device || part == self.source {
            "anode"
        } else {
            "terminal 2"
        }
    }

    /// The part that the simulator speaks of (`anode on battery`): it may add an adjective to the object's name.
    fn part<'a>(&'a self, said: &'a str) -> &'a str {
        let said = component(said);
        match &self.object {
            Some(object) if is_named(said, object) => object,
            _ => said,
        }
    }
}

/// Whether a thing of this name is a wire.
#[must_use]
pub fn is_wire(name: &str) -> bool {
    name.ends_with(" wire")
}

/// `terminal 1 on red wire` without the terminal.
fn component(said: &str) -> &str {
    said.split_once(" on ").map_or(said, |(_, part)| part)
}

/// The ring as far as the progress names it.
fn ring(progress: &str) -> Vec<&str> {
    noted(progress, CONNECTIONS).map_or(Vec::new(), |list| list.split(" - ").collect())
}

/// A part that was disconnected leaves the ring, and what came behind it too.
fn cut_at(ring: &mut Vec<&str>, part: &str) {
    if let Some(at) = ring.iter().position(|p| *p == part) {
        ring.truncate(at);
    }
    if ring.len() == 1 {
        ring.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "workshop: green light bulb off; table [battery, blue wire, red light bulb off, red wire, switch off, \
        tan wire] | doors: hallway open | holding: orange apricot";

    fn view(feedback: &str) -> View {
        View::read(&format!("{feedback} | {TABLE}"))
    }

    #[test]
    fn a_ring_of_three() {
        let subtask = sentence_with("battery", "green light bulb", "apricot");
        let circuit = read(&subtask).unwrap();
        let steps = [
            ("battery anode", "blue wire terminal 1"),
            ("blue wire terminal 2", "green light bulb cathode"),
            ("green light bulb anode", "red wire terminal 1"),
            ("red wire terminal 2", "apricot terminal 1"),
            ("apricot terminal 2", "tan wire terminal 1"),
            ("tan wire terminal 2", "battery cathode"),
        ];
        let mut progress = "None".to_owned();
        let mut seen = view("You move to the workshop.");
        for (from, to) in steps {
            let action = circuit.act(&seen, &progress);
            assert_eq!(action.to_string(), format!("connect {from} to {to}; False"));
            seen = view(&format!("{} is now connected to {}", said(from), said(to)));
            progress = circuit.rewrite(&seen, &progress, &action.command);
        }
        assert_eq!(
            progress,
            "The green light bulb is off. || [Connections: battery - blue wire - green light bulb - red wire - apricot - tan \
             wire - battery]"
        );
        assert_eq!(circuit.act(&seen, &progress).to_string(), "wait1; True");
    }

    /// As the simulator says it: `terminal 2 on orange apricot`.
    fn said(end: &str) -> String {
        let words: Vec<&str> = end.split(' ').collect();
        let ports = if end.contains("terminal") { 2 } else { 1 };
        let (part, port) = words.split_at(words.len() - ports);
        let part = part.join(" ").replace("apricot", "orange apricot");
        format!("{} on {part}", port.join(" "))
    }

    #[test]
    fn a_terminal_in_use_is_freed() {
        let circuit = read("wire battery and red light bulb in a circuit").unwrap();
        let progress = "The red light bulb is off. || [Connections: battery - blue wire]";
        let taken = view(
            "terminal 2 on blue wire is already connected, and must be disconnected before it can be connected to something else",
        );
        assert_eq!(
            circuit.act(&taken, progress).to_string(),
            "disconnect blue wire; False"
        );
        let free = view("blue wire has been disconnected");
        let after = circuit.rewrite(&free, progress, "disconnect blue wire");
        assert_eq!(after, "The red light bulb is off.");
        assert_eq!(
            circuit.act(&free, &after).to_string(),
            "connect battery anode to blue wire terminal 1; False"
        );
    }

    #[test]
    fn a_generator_is_switched_on_first() {
        let circuit = read("wire gas generator and red light bulb in a circuit").unwrap();
        let off = View::read(
            "workshop: gas generator off; red light bulb off | doors: hallway open | holding: nothing",
        );
        assert_eq!(
            circuit.act(&off, "None").to_string(),
            "activate gas generator; False"
        );
        assert!(read("wire battery").is_none());
    }

    #[test]
    fn only_a_closed_ring_shows_something() {
        let said = |ring: &str| format!("The red light bulb is on. || [Connections: {ring}]");
        let closed = "battery - blue wire - red light bulb - red wire - battery";
        assert_eq!(result(&said(closed), "battery"), Some(true));
        let off = said(closed).replace("is on", "is off");
        assert_eq!(result(&off, "battery"), Some(false));
        for open in ["battery", "battery - blue wire", ""] {
            assert_eq!(result(&said(open), "battery"), None, "{open}");
        }
        assert_eq!(result("The red light bulb is on.", "battery"), None);
    }
}
