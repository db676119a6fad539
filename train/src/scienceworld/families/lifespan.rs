//! `find the animal with the longest life span ...`, `... the shortest life span ...`, or both, one after the other.
//!
//! How long animals live is the order that all 186 training episodes of these tasks agree on.

use stride_environments::scienceworld::view::View;

use crate::scienceworld::house::OUTSIDE;
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{focus, go};

const SHORT: [&str; 5] = ["ant", "chameleon", "dragonfly", "hedgehog", "mouse"];
const MIDDLE: [&str; 5] = ["beaver", "chipmunk", "frog", "rabbit", "wolf"];
const LONG: [&str; 5] = [
    "brown bear",
    "crocodile",
    "elephant",
    "giant tortoise",
    "parrot",
];

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The longest-lived animal.
    Longest,
    /// The shortest-lived animal.
    Shortest,
    /// The longest-lived animal, then the shortest-lived one.
    Both,
}

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let rest = task.strip_prefix("find the animal with the ")?;
    if rest.starts_with("longest life span, then the shortest life span") {
        Some(Goal::Both)
    } else if rest.starts_with("longest life span.") {
        Some(Goal::Longest)
    } else if rest.starts_with("shortest life span.") {
        Some(Goal::Shortest)
    } else {
        None
    }
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(self, s: &Situation<'_>) -> String {
        if !s.is_in(OUTSIDE) {
            return go::sentence(OUTSIDE);
        }
        let longest = match self {
            Self::Longest => true,
            Self::Shortest => false,
            Self::Both => !s.issued("focus on "),
        };
        match extreme(&s.view, longest) {
            Some(name) => focus::sentence(name),
            None => go::sentence(OUTSIDE),
        }
    }
}

/// The animal here that lives longest, or shortest; the first of equals.
fn extreme(view: &View, longest: bool) -> Option<&str> {
    let animals = || {
        view.things
            .iter()
            .filter_map(|thing| Some((rank(&thing.name)?, thing.name.as_str())))
    };
    let ranks = animals().map(|(rank, _)| rank);
    let wanted = if longest { ranks.max() } else { ranks.min() }?;
    animals()
        .find(|(rank, _)| *rank == wanted)
        .map(|(_, name)| name)
}

/// How long the animal of this name lives, in three classes; `None` when it is no animal of the table. Its young count.
fn rank(name: &str) -> Option<usize> {
    let young = ["baby ", "hatchling ", "juvenile ", "adult "];
    let species = young
        .iter()
        .find_map(|stage| name.strip_prefix(stage))
        .or_else(|| name.strip_suffix(" egg"))
        .unwrap_or(name);
    let species = if species == "tadpole" {
        "frog"
    } else {
        species
    };
    [SHORT, MIDDLE, LONG]
        .iter()
        .position(|class| class.contains(&species))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stride_firmware_config::state::Completed;

    const TASK: &str = "find the animal with the longest life span, then the shortest life span. First, focus on the animal \
        with the longest life span. Then, focus on the animal with the shortest life span. The animals are in the 'outside' \
        location.";

    #[test]
    fn longest_then_shortest() {
        let goal = read(TASK).unwrap();
        let view = View::read(
            "outside: axe; baby ant; baby brown bear; frog egg; wood | doors: kitchen open | holding: orange",
        );
        let mut completed = Completed::new();
        let next =
            |completed: &Completed| goal.next(&Situation::new(view.clone(), completed, "None"));
        assert_eq!(next(&completed), "focus on baby brown bear");
        completed.push("go to the outside", 8);
        completed.push("focus on baby brown bear", 8);
        assert_eq!(next(&completed), "focus on baby ant");
    }

    #[test]
    fn tasks() {
        assert_eq!(
            read(
                "find the animal with the longest life span. The animals are in the 'outside' location."
            ),
            Some(Goal::Longest)
        );
        assert_eq!(
            read("find the animal with the shortest life span."),
            Some(Goal::Shortest)
        );
        assert!(read("find a(n) animal").is_none());
    }
}
