//! Vessels and the substances in them: a substance is called otherwise when its state of matter changes.
//!
//! The lists are those of the training variations.

use stride_environments::scienceworld::view::{Place, Thing, View};

/// Last words of the names of things that one carries a substance in.
const VESSELS: [&str; 4] = ["cup", "jar", "jug", "pot"];

/// What the simulator puts before a name when the state is not the usual one.
const STATES: [&str; 3] = ["liquid ", "solid ", "gaseous "];

/// The one substance whose states have names of their own.
const WATER: [&str; 3] = ["ice", "water", "steam"];

/// Last words of the names of substances that are liquid in the house.
const LIQUIDS: [&str; 3] = ["water", "juice", "mercury"];

fn plain(name: &str) -> &str {
    let name = name.split(" (").next().unwrap_or(name);
    STATES
        .iter()
        .find_map(|state| name.strip_prefix(state))
        .unwrap_or(name)
}

/// Whether a thing of this name is the substance, in any state of matter.
#[must_use]
pub fn is_form(name: &str, substance: &str) -> bool {
    let (name, substance) = (plain(name), plain(substance));
    name == substance || (WATER.contains(&name) && WATER.contains(&substance))
}

/// Whether a substance of this name is liquid.
#[must_use]
pub fn is_liquid(name: &str) -> bool {
    name.starts_with("liquid ")
        || (plain(name) == name && LIQUIDS.iter().any(|last| name.ends_with(last)))
}

/// The first vessel in sight that holds the substance.
#[must_use]
pub fn holding<'a>(view: &'a View, substance: &str) -> Option<&'a Thing> {
    view.everything()
        .find(|thing| is_vessel(&thing.name) && content(thing, substance).is_some())
}

/// What the substance in this thing is called now.
#[must_use]
pub fn content<'a>(thing: &'a Thing, substance: &str) -> Option<&'a str> {
    thing
        .contents()
        .iter()
        .map(|inside| inside.name.as_str())
        .find(|name| is_form(name, substance))
}

fn is_vessel(name: &str) -> bool {
    name.rsplit(' ')
        .next()
        .is_some_and(|last| VESSELS.contains(&last))
}

/// How an action names this thing: with its place when another thing in sight has the same name.
#[must_use]
pub fn referent(view: &View, thing: &Thing) -> String {
    let name = &thing.name;
    if view.everything().filter(|t| t.name == *name).count() < 2 {
        return name.clone();
    }
    located(view, thing)
}

/// This thing with what it is in or on, if that is not the room.
#[must_use]
pub fn located(view: &View, thing: &Thing) -> String {
    let name = &thing.name;
    match place(view, thing) {
        Place::Held => format!("{name} in inventory"),
        Place::In(holder) => format!("{name} in {}", holder.name),
        Place::Room => name.clone(),
    }
}

/// Where this thing is; of equal ones, one that is held before one that is in something.
#[must_use]
pub fn place<'a>(view: &'a View, thing: &Thing) -> Place<'a> {
    if view.holding.contains(thing) {
        return Place::Held;
    }
    view.everything()
        .find(|other| other.contents().contains(thing))
        .map_or(Place::Room, Place::In)
}

/// How an action names the first thing of this name.
#[must_use]
pub fn referent_of(view: &View, name: &str) -> String {
    let held = view.holding.iter().find(|thing| thing.name == name);
    held.or_else(|| view.find(name))
        .map_or_else(|| name.to_owned(), |thing| referent(view, thing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_substance_keeps_its_identity() {
        assert!(is_form("ice", "water") && is_form("liquid chocolate (on fire)", "chocolate"));
        assert!(is_form("solid apple juice", "apple juice") && !is_form("orange", "orange juice"));
        assert!(is_liquid("water") && is_liquid("apple juice") && is_liquid("liquid chocolate"));
        assert!(!is_liquid("ice") && !is_liquid("solid apple juice") && !is_liquid("chocolate"));
    }

    #[test]
    fn two_things_of_one_name_are_told_apart() {
        let view = View::read(
            "kitchen: cupboard open [metal pot []]; fridge open [metal pot [apple juice]]; table [glass cup []] | doors: \
             hallway open | holding: glass cup [water]",
        );
        let pot = holding(&view, "apple juice").unwrap();
        assert_eq!(referent(&view, pot), "metal pot in fridge");
        assert_eq!(referent_of(&view, "glass cup"), "glass cup in inventory");
        assert_eq!(referent_of(&view, "fridge"), "fridge");
    }
}
