//! Whether the simulator means a thing that the task names: it may add an adjective (`orange apricot`, `blank paper`).

use stride_environments::scienceworld::view::{Thing, View};

/// Whether `said` is the thing of this name, with or without an adjective: one word, since a `recipe titled instructions to
/// make salt water` is no water.
#[must_use]
pub fn is_named(said: &str, name: &str) -> bool {
    said == name
        || said
            .strip_suffix(name)
            .and_then(|rest| rest.strip_suffix(' '))
            .is_some_and(|adjective| !adjective.is_empty() && !adjective.contains(' '))
}

/// The first thing in sight of this name.
#[must_use]
pub fn find<'a>(view: &'a View, name: &str) -> Option<&'a Thing> {
    view.everything().find(|thing| is_named(&thing.name, name))
}

/// Whether the inventory itself holds a thing of this name.
#[must_use]
pub fn holds(view: &View, name: &str) -> bool {
    view.holding.iter().any(|thing| is_named(&thing.name, name))
}

/// Whether a thing of this name is directly inside.
#[must_use]
pub fn contains(thing: &Thing, name: &str) -> bool {
    thing
        .contents()
        .iter()
        .any(|inside| is_named(&inside.name, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjectives() {
        assert!(is_named("orange apricot", "apricot"));
        assert!(is_named("apricot", "apricot"));
        assert!(!is_named("red light bulb", "light"));
        assert!(!is_named(
            "recipe titled instructions to make blue paper",
            "paper"
        ));
        assert!(!is_named("yellow-green paint", "green paint"));
        let view = View::read("kitchen: bowl [red jam] | doors:  | holding: blank paper");
        assert!(holds(&view, "paper") && !holds(&view, "jam"));
        assert!(contains(find(&view, "bowl").unwrap(), "jam"));
    }
}
