//! What is done when the seeds are planted: water, bees, and waiting for the plant.

use stride_environments::scienceworld::view::{Thing, View};

use super::plant::SINK;
use super::{Action, Skill, said};

/// Where the bees live.
pub const HIVE: &str = "bee hive";
/// The stage in which a plant flowers.
pub const LAST_STAGE: &str = "reproducing";

const BEES: &str = "turn on the sink, close the doors and open the bee hive";
const GROW: &str = "turn on the sink and wait until ";
const GROWN: &str = " is reproducing";
const RIPEN: &str = "wait until ";
const RIPE: &str = " bears fruit, then focus on it";

/// A subtask in the greenhouse. Water and bees care for the plants on their own, so the last two only wait: the agent closes them
/// when nothing changes any more (method section 12.7), and the planner issues them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Garden {
    /// Water and shut-in bees.
    Bees,
    /// Water and patience.
    Grow(String),
    /// Patience, then the focus on the fruit of this tree.
    Ripen(String),
}

/// The sentence for water and bees.
#[must_use]
pub fn bees_sentence() -> String {
    BEES.to_owned()
}

/// The sentence for growing a plant to its last stage.
#[must_use]
pub fn grow_sentence(tree: &str) -> String {
    format!("{GROW}{tree}{GROWN}")
}

/// The sentence for waiting for fruit.
#[must_use]
pub fn ripen_sentence(tree: &str) -> String {
    format!("{RIPEN}{tree}{RIPE}")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Garden> {
    let between = |head, tail| {
        subtask
            .strip_prefix(head)
            .and_then(|rest| rest.strip_suffix(tail))
            .map(str::to_owned)
    };
    if subtask == BEES {
        return Some(Garden::Bees);
    }
    None.or_else(|| between(GROW, GROWN).map(Garden::Grow))
        .or_else(|| between(RIPEN, RIPE).map(Garden::Ripen))
}

/// Whether a thing is seen and not switched on.
#[must_use]
pub fn is_off(view: &View, name: &str) -> bool {
    view.find(name).is_some_and(|thing| !thing.is_on())
}

/// Whether water and bees still want something.
#[must_use]
pub fn lacks_care(view: &View) -> bool {
    is_off(view, SINK)
        || view.doors.iter().any(|door| door.open)
        || view.find(HIVE).is_some_and(Thing::is_closed)
}

/// The fruit on a tree of this name: an apple tree bears red apples.
fn fruit<'a>(view: &'a View, tree: &str) -> Option<&'a Thing> {
    let kind = tree.strip_suffix(" tree").unwrap_or(tree);
    view.everything()
        .filter(|thing| thing.name == tree)
        .flat_map(Thing::contents)
        .find(|thing| thing.name.ends_with(kind))
}

impl Skill for Garden {
    fn act(&self, view: &View, _progress: &str) -> Action {
        match self {
            Self::Bees => care(view),
            Self::Grow(_) if is_off(view, SINK) => Action::go_on("activate sink"),
            Self::Grow(_) => Action::go_on("wait"),
            Self::Ripen(tree) => Action::go_on(match fruit(view, tree) {
                Some(fruit) => format!("focus on {} on {tree}", fruit.name),
                None => "wait".to_owned(),
            }),
        }
    }

    fn rewrite(&self, view: &View, _progress: &str, _action: &str) -> String {
        let tree = match self {
            Self::Bees => return said(view),
            Self::Grow(tree) | Self::Ripen(tree) => tree,
        };
        if let Some(fruit) = fruit(view, tree) {
            return format!("{} bears {}.", tree, fruit.name);
        }
        let stage = view
            .everything()
            .filter(|thing| thing.name == *tree)
            .filter_map(|thing| thing.state.as_deref())
            .find(|stage| *stage != "dead");
        match stage {
            Some(stage) => format!("{tree} is {stage}."),
            None => "Only seeds so far.".to_owned(),
        }
    }
}

/// The sink first; the hive last, when no bee can leave.
fn care(view: &View) -> Action {
    if is_off(view, SINK) {
        return Action::go_on("activate sink");
    }
    if let Some(door) = view.doors.iter().find(|door| door.open) {
        return Action::go_on(format!("close door to {}", door.to));
    }
    if view.find(HIVE).is_some_and(Thing::is_closed) {
        return Action::finish(format!("open {HIVE}"));
    }
    Action::give_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(subtask: &str, line: &str) -> String {
        read(subtask)
            .unwrap()
            .act(&View::read(line), "None")
            .to_string()
    }

    #[test]
    fn water_doors_bees() {
        let line = |hive: &str, sink: &str, door: &str| {
            format!(
                "greenhouse: bee hive {hive}; sink {sink} [] | doors: hallway closed, outside {door} | holding: nothing"
            )
        };
        assert_eq!(
            act(BEES, &line("closed", "off", "open")),
            "activate sink; False"
        );
        assert_eq!(
            act(BEES, &line("closed", "on", "open")),
            "close door to outside; False"
        );
        assert_eq!(
            act(BEES, &line("closed", "on", "closed")),
            "open bee hive; True"
        );
        assert_eq!(
            act(BEES, &line("open []", "on", "closed")),
            "look around; True"
        );
        assert!(lacks_care(&View::read(&line("closed", "on", "closed"))));
        assert!(!lacks_care(&View::read(&line("open []", "on", "closed"))));
    }

    #[test]
    fn waits_for_fruit() {
        let line = |on_tree: &str| {
            format!(
                "greenhouse: sink on [flower pot 1 [apple tree reproducing [{on_tree}], soil]] | doors: hallway closed | holding: red apple"
            )
        };
        let ripen = ripen_sentence("apple tree");
        assert_eq!(act(&ripen, &line("flower, adult bee")), "wait; False");
        assert_eq!(
            act(&ripen, &line("adult bee, red apple")),
            "focus on red apple on apple tree; False"
        );
        let grow = read(&grow_sentence("apple tree")).unwrap();
        let seen = View::read(&line("flower"));
        assert_eq!(
            grow.rewrite(&seen, "None", "wait"),
            "apple tree is reproducing."
        );
    }
}
