//! `mix A and B in C`, `mix A, B and D in C`: everything goes into the vessel C, then it is stirred.
//!
//! Paint is poured, water comes from the sink, the rest is moved. What is not in sight is in something closed.

use stride_environments::scienceworld::view::{Thing, View};

use super::names;
use super::{Action, Skill};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    ingredients: Vec<String>,
    vessel: String,
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(ingredients: &[&str], vessel: &str) -> String {
    let list = match ingredients {
        [most @ .., last] if !most.is_empty() => format!("{} and {last}", most.join(", ")),
        _ => ingredients.join(", "),
    };
    format!("mix {list} in {vessel}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Mix> {
    let (list, vessel) = subtask.strip_prefix("mix ")?.rsplit_once(" in ")?;
    let (most, last) = list.rsplit_once(" and ")?;
    Some(Mix {
        ingredients: most.split(", ").chain([last]).map(str::to_owned).collect(),
        vessel: vessel.to_owned(),
    })
}

impl Mix {
    /// What is mixed.
    #[must_use]
    pub fn ingredients(&self) -> &[String] {
        &self.ingredients
    }
}

/// What the simulator says when the named thing is out of reach, as in a jar whose lid is closed.
const OUT_OF_REACH: &str = "No known action";

impl Skill for Mix {
    fn act(&self, view: &View, _progress: &str) -> Action {
        let Some(vessel) = view.find(&self.vessel) else {
            return Action::give_back();
        };
        // Something else in it is the product: nothing may be added.
        let foreign = |inside: &Thing| {
            let known = |name: &String| names::is_named(&inside.name, name);
            !self.ingredients.iter().any(known)
        };
        if vessel.contents().iter().any(foreign) {
            return Action::give_back();
        }
        let missing = self
            .ingredients
            .iter()
            .find(|name| !names::contains(vessel, name));
        let Some(missing) = missing else {
            return Action::finish(format!("mix {}", self.vessel));
        };
        if missing == "water" {
            return self.draw_water(view);
        }
        let Some(holder) = holder(view, missing) else {
            return match view.everything().find(|thing| thing.is_closed()) {
                Some(closed) => Action::go_on(format!("open {}", closed.name)),
                None => Action::give_back(),
            };
        };
        if let Holder::In(jar) = holder
            && view.feedback.starts_with(OUT_OF_REACH)
        {
            return Action::go_on(format!("open {}", jar.name));
        }
        let (verb, into) = if missing.ends_with(" paint") {
            ("pour", "into")
        } else {
            ("move", "to")
        };
        Action::go_on(format!("{verb} {missing} {into} {}", self.vessel))
    }

    fn rewrite(&self, view: &View, _progress: &str, _action: &str) -> String {
        let inside = view.find(&self.vessel).map(|vessel| {
            let list: Vec<&str> = vessel.contents().iter().map(|t| t.name.as_str()).collect();
            list.join(", ")
        });
        match inside.as_deref() {
            None => format!("The {} is out of sight.", self.vessel),
            Some("") => format!("The {} is empty.", self.vessel),
            Some(list) => format!("The {} holds {list}.", self.vessel),
        }
    }
}

impl Mix {
    fn draw_water(&self, view: &View) -> Action {
        match view.find("sink") {
            None => Action::give_back(),
            Some(sink) if !sink.contains(&self.vessel) => {
                Action::go_on(format!("move {} to sink", self.vessel))
            }
            Some(sink) if sink.is_on() => Action::go_on("wait1"),
            Some(_) => Action::go_on("activate sink"),
        }
    }
}

/// Where an ingredient lies.
enum Holder<'a> {
    /// In the room or in the hands.
    Open,
    /// In or on this.
    In(&'a Thing),
}

fn holder<'a>(view: &'a View, name: &str) -> Option<Holder<'a>> {
    let top = |things: &[Thing]| things.iter().any(|t| names::is_named(&t.name, name));
    if top(&view.things) || top(&view.holding) {
        return Some(Holder::Open);
    }
    view.everything()
        .find(|thing| names::contains(thing, name))
        .map(Holder::In)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(subtask: &str, observation: &str) -> String {
        let view = View::read(&format!(
            "{observation} | doors: hallway open | holding: orange"
        ));
        read(subtask).unwrap().act(&view, "None").to_string()
    }

    #[test]
    fn sentences() {
        let three = sentence(&["peanut", "jam", "bread"], "glass cup");
        assert_eq!(three, "mix peanut, jam and bread in glass cup");
        assert_eq!(
            read(&three).unwrap().ingredients,
            ["peanut", "jam", "bread"]
        );
        assert_eq!(
            sentence(&["soap", "water"], "jug"),
            "mix soap and water in jug"
        );
        assert!(read("mix in jug").is_none());
    }

    #[test]
    fn paint_is_poured_and_looked_for() {
        let subtask = "mix green paint and blue paint in jug";
        let closed = "art studio: large cupboard closed; table [jug [green paint]]; wood cup []";
        assert_eq!(act(subtask, closed), "open large cupboard; False");
        let open =
            "art studio: large cupboard open [wood cup [blue paint]]; table [jug [green paint]]";
        assert_eq!(act(subtask, open), "pour blue paint into jug; False");
        let both = "art studio: table [jug [blue paint, green paint]]";
        assert_eq!(act(subtask, both), "mix jug; True");
        let done = "art studio: table [jug [green-blue paint]]; wood cup [blue paint]";
        assert_eq!(act(subtask, done), "look around; True");
    }

    #[test]
    fn salt_water() {
        let subtask = "mix sodium chloride and water in glass cup";
        let jar = "kitchen: glass jar [sodium chloride]; sink off []; table [glass cup []]";
        assert_eq!(
            act(subtask, jar),
            "move sodium chloride to glass cup; False"
        );
        assert_eq!(
            act(
                subtask,
                &format!("No known action matches that input. | {jar}")
            ),
            "open glass jar; False"
        );
        let salt = "kitchen: sink off []; table [glass cup [sodium chloride]]";
        assert_eq!(act(subtask, salt), "move glass cup to sink; False");
        let sink = "kitchen: sink off [glass cup [sodium chloride]]";
        assert_eq!(act(subtask, sink), "activate sink; False");
    }
}
