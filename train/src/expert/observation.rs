//! What an observation of a household world says.

use stride_agent::places::Name;

/// What an observation says, as far as the expert cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The contents of a place.
    Contents {
        /// The place.
        place: Name,
        /// What is in or on it.
        items: Vec<Name>,
    },
    /// A place is closed.
    Closed(Name),
    /// The agent picked something up.
    PickedUp {
        /// What.
        object: Name,
        /// From where.
        place: Option<Name>,
    },
    /// The agent put something down.
    Placed {
        /// What.
        object: Name,
        /// Where.
        place: Option<Name>,
    },
    /// The agent cleaned, heated or cooled something.
    Treated {
        /// `cleaned`, `heated` or `cooled`.
        how: &'static str,
        /// What.
        object: Name,
        /// With what.
        place: Option<Name>,
    },
    /// The agent switched something on.
    TurnedOn(Name),
    /// What the agent carries.
    Carrying(Option<Name>),
    /// The action had no effect.
    Nothing,
    /// Anything else.
    Other,
}

/// Reads an observation.
#[must_use]
pub fn read(observation: &str) -> Seen {
    if observation.starts_with("Nothing happens") {
        return Seen::Nothing;
    }
    let names = names_in(observation);
    let first = names.first().cloned();
    if let Some(rest) = observation.strip_prefix("You are ") {
        return read_self(rest, first);
    }
    if observation.starts_with("You close ") {
        return first.map_or(Seen::Other, Seen::Closed);
    }
    if let Some((before, list)) = observation.split_once("you see ") {
        return match names_in(before).pop() {
            Some(place) => Seen::Contents {
                place,
                items: names_in(list),
            },
            None => Seen::Other,
        };
    }
    if observation.contains(" is closed") {
        return names
            .into_iter()
            .next_back()
            .map_or(Seen::Other, Seen::Closed);
    }
    let Some(object) = first else {
        return Seen::Other;
    };
    let place = names.get(1).cloned();
    let verb = observation.strip_prefix("You ").unwrap_or("");
    match verb.split(' ').next().unwrap_or("") {
        "pick" => Seen::PickedUp { object, place },
        "move" | "put" => Seen::Placed { object, place },
        "clean" => treated("cleaned", object, place),
        "heat" => treated("heated", object, place),
        "cool" => treated("cooled", object, place),
        "turn" if verb.starts_with("turn on") => Seen::TurnedOn(object),
        _ => Seen::Other,
    }
}

/// `You are carrying: …`, `You are not carrying anything.`, `You are facing …`, `You are in the middle of …`.
fn read_self(rest: &str, first: Option<Name>) -> Seen {
    if rest.starts_with("not carrying") {
        Seen::Carrying(None)
    } else if rest.starts_with("carrying") {
        Seen::Carrying(first)
    } else {
        Seen::Other
    }
}

fn treated(how: &'static str, object: Name, place: Option<Name>) -> Seen {
    Seen::Treated { how, object, place }
}

/// All numbered names in a text, in order.
#[must_use]
pub fn names_in(text: &str) -> Vec<Name> {
    let mut names = Vec::new();
    let mut kind = "";
    for word in text.split([' ', ',', '.', ':', ';', '\n']) {
        if let Ok(name) = format!("{kind} {word}").parse::<Name>() {
            names.push(name);
        }
        kind = word;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn reads_the_sentences_of_the_world() {
        assert_eq!(
            read("You arrive at desk 1. On the desk 1, you see a mug 2, and a pen 1."),
            Seen::Contents {
                place: name("desk 1"),
                items: vec![name("mug 2"), name("pen 1")]
            }
        );
        assert_eq!(
            read("You open the safe 1. The safe 1 is open. In it, you see nothing."),
            Seen::Contents {
                place: name("safe 1"),
                items: vec![]
            }
        );
        assert_eq!(
            read("You arrive at drawer 9. The drawer 9 is closed."),
            Seen::Closed(name("drawer 9"))
        );
        assert_eq!(read("Nothing happens."), Seen::Nothing);
        assert_eq!(
            read("You are facing the desk 1. Next to it, you see nothing."),
            Seen::Other
        );
        assert_eq!(
            read("You are carrying: a mug 1."),
            Seen::Carrying(Some(name("mug 1")))
        );
        assert_eq!(
            read("You pick up the mug 1 from the desk 1."),
            Seen::PickedUp {
                object: name("mug 1"),
                place: Some(name("desk 1"))
            }
        );
        assert_eq!(
            read("You turn on the desklamp 1."),
            Seen::TurnedOn(name("desklamp 1"))
        );
    }
}
