//! `find and take X`: opens what is closed in the room until X is seen, then picks it up, a liquid in its vessel.
//!
//! Its progress lists what was opened in vain (method section 8, mode A).

use stride_environments::scienceworld::view::{Thing, View};

use super::{Action, Skill, noted, said, vessel, with_note};

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

impl Search {
    /// The thing to pick up: a vessel with the substance, or the thing itself.
    fn seen(&self, view: &View) -> Option<(String, bool)> {
        if let Some(thing) = vessel::holding(view, &self.name) {
            return Some((vessel::referent(view, thing), view.holds(&thing.name)));
        }
        let thing = view
            .everything()
            .find(|thing| vessel::is_form(&thing.name, &self.name))?;
        Some((vessel::referent(view, thing), view.holds(&thing.name)))
    }
}

impl Skill for Search {
    fn act(&self, view: &View, _progress: &str) -> Action {
        match self.seen(view) {
            Some((_, true)) => return Action::give_back(),
            Some((name, false)) => return Action::finish(format!("pick up {name}")),
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
        if self.seen(view).is_some() {
            return said(view);
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
        let sentence = format!("No {} yet, unchecked places remain.", self.name);
        with_note(&sentence, CHECKED, &checked)
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
        assert_eq!(
            progress,
            "No ice yet, unchecked places remain. || [Checked: fridge]"
        );
        assert_eq!(
            search.act(&one, &progress).to_string(),
            "open freezer; False"
        );
        let two =
            view("cupboard closed; freezer open [ice]; fridge open [wood cup [orange juice]]");
        assert_eq!(search.act(&two, &progress).to_string(), "pick up ice; True");
        let juice = read("find and take orange juice").unwrap();
        assert_eq!(
            juice.act(&two, "None").to_string(),
            "pick up wood cup; True"
        );
    }
}
