//! `find and take X`: opens what is closed in the room until X is seen, then picks it up, a liquid in its vessel.
//!
//! Its progress lists what was opened in vain (method section 8, mode A).

use stride_environments::scienceworld::view::{Place, Thing, View};

use super::{Action, Skill, noted, vessel, with_note};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    name: String,
}

/// What the progress calls the containers that were opened in vain.
const CHECKED: &str = "Checked";

/// Cold places come first: most of what the training variations ask for is food.
const FIRST: [&str; 2] = ["fridge", "freezer"];

/// The subtask's sentence.
#[must_use]
pub fn sentence(name: &str) -> String {
    format!("find and take {name}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Search> {
    subtask.strip_prefix("find and take ").map(|name| Search {
        name: name.to_owned(),
    })
}

/// A thing in sight, and what it is for this search.
struct Seen {
    /// How an action names it.
    referent: String,
    /// Where it is, as the progress says it.
    place: String,
    is_held: bool,
}

impl Search {
    /// The thing to pick up: a vessel with the substance, or the thing itself.
    fn seen(&self, view: &View) -> Option<Seen> {
        let vessel = vessel::holding(view, &self.name);
        let thing = vessel.or_else(|| {
            view.everything()
                .find(|thing| vessel::is_form(&thing.name, &self.name))
        })?;
        let place = match (vessel, vessel::place(view, thing)) {
            (Some(vessel), _) => format!("in the {}", vessel.name),
            (None, Place::In(holder)) => format!("in the {}", holder.name),
            (None, Place::Held) => "held".to_owned(),
            (None, Place::Room) => "here".to_owned(),
        };
        Some(Seen {
            referent: vessel::located(view, thing),
            place,
            is_held: view.holds(&thing.name),
        })
    }
}

/// The progress while the thing is not in sight. The name comes before the verdict: what was just written is what a small network
/// looks up best.
#[must_use]
pub fn nowhere(name: &str, checked: &str) -> String {
    with_note(&format!("The {name} is nowhere yet."), CHECKED, checked)
}

impl Skill for Search {
    fn act(&self, view: &View, _progress: &str) -> Action {
        match self.seen(view) {
            Some(seen) if seen.is_held => return Action::give_back(),
            Some(seen) => return Action::finish(format!("pick up {}", seen.referent)),
            None => {}
        }
        let mut closed = view
            .everything()
            .filter(|thing| thing.is_closed())
            .map(|thing| thing.name.as_str());
        let cold = FIRST
            .into_iter()
            .find(|name| view.find(name).is_some_and(Thing::is_closed));
        match cold.or_else(|| closed.next()) {
            Some(name) => Action::go_on(format!("open {name}")),
            None => Action::give_back(),
        }
    }

    fn rewrite(&self, view: &View, progress: &str, action: &str) -> String {
        if let Some(seen) = self.seen(view) {
            return format!("The {} is {}.", self.name, seen.place);
        }
        let mut checked = noted(progress, CHECKED).unwrap_or_default().to_owned();
        let opened = action.strip_prefix("open ").filter(|name| {
            view.find(name)
                .is_some_and(|thing| thing.open == Some(true))
        });
        if let Some(name) = opened
            && !checked.split(", ").any(|place| place == name)
        {
            if !checked.is_empty() {
                checked.push_str(", ");
            }
            checked.push_str(name);
        }
        nowhere(&self.name, &checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_until_it_is_seen() {
        let search = read("find and take ice").unwrap();
        let view = |things: &str| {
            View::read(&format!(
                "kitchen: {things} | doors: hallway open | holding: nothing"
            ))
        };
        let closed = view("cupboard closed; freezer closed; fridge closed");
        assert_eq!(
            search.act(&closed, "None").to_string(),
            "open fridge; False"
        );
        let one = view("cupboard closed; freezer closed; fridge open [wood cup [orange juice]]");
        let progress = search.rewrite(&one, "None", "open fridge");
        assert_eq!(progress, "The ice is nowhere yet. || [Checked: fridge]");
        assert_eq!(
            search.act(&one, &progress).to_string(),
            "open freezer; False"
        );
        let two =
            view("cupboard closed; freezer open [ice]; fridge open [wood cup [orange juice]]");
        assert_eq!(
            search.rewrite(&two, &progress, "open freezer"),
            "The ice is in the freezer."
        );
        assert_eq!(
            search.act(&two, &progress).to_string(),
            "pick up ice in freezer; True"
        );
        let juice = read("find and take orange juice").unwrap();
        assert_eq!(
            juice.act(&two, "None").to_string(),
            "pick up wood cup in fridge; True"
        );
        assert_eq!(
            juice.rewrite(&two, "None", "open fridge"),
            "The orange juice is in the wood cup."
        );
        let soap = read("find and take soap").unwrap();
        let twice = view("soap; table [soap]");
        assert_eq!(
            soap.rewrite(&twice, "None", "wait"),
            "The soap is in the table."
        );
        assert_eq!(
            soap.act(&twice, "None").to_string(),
            "pick up soap in table; True"
        );
        let here = view("soap; table []");
        assert_eq!(soap.rewrite(&here, "None", "wait"), "The soap is here.");
        assert_eq!(soap.act(&here, "None").to_string(), "pick up soap; True");
    }
}
