//! `focus on the 4 life stages of the turtle, starting from earliest to latest.` and `focus on the life stages of the apple
//! plant, starting from earliest to latest. The plants are located outside.`

use crate::scienceworld::house::OUTSIDE;
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{go, stage};

/// The stages, earliest first, each as its subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    stages: Vec<String>,
}

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let rest = task.strip_prefix("focus on the ")?;
    let (head, tail) = rest.split_once("life stages of the ")?;
    let (name, _) = tail.split_once(", starting from earliest to latest")?;
    let stages = match name.strip_suffix(" plant") {
        Some(kind) => plant_stages(kind),
        None => animal_stages(name, head.trim()),
    };
    Some(Goal { stages })
}

fn plant_stages(kind: &str) -> Vec<String> {
    let tree = format!("{kind} tree");
    let later = ["seedling", "adult", "reproducing"];
    std::iter::once(stage::plant_sentence(&format!("{kind} seed"), None))
        .chain(later.map(|state| stage::plant_sentence(&tree, Some(state))))
        .collect()
}

/// The stages of an animal, as the training variations name and show them; `count` is a number as the instruction writes it.
fn animal_stages(species: &str, count: &str) -> Vec<String> {
    // Toads look like frogs, and moths like butterflies.
    let (looks, stages): (&str, &[&str]) = match (species, count) {
        ("common toad" | "toad" | "frog", _) => ("frog", &["egg", "tadpole", "adult"]),
        ("butterfly" | "moth", _) => ("butterfly", &["egg", "caterpillar", "pupa", "adult"]),
        (_, "4") => (species, &["egg", "hatchling", "juvenile", "adult"]),
        _ => (species, &["baby", "juvenile", "adult"]),
    };
    stages
        .iter()
        .map(|&word| {
            let shown = match word {
                "egg" | "pupa" => format!("{looks} {word}"),
                "tadpole" | "caterpillar" => word.to_owned(),
                _ => format!("{word} {looks}"),
            };
            stage::animal_sentence(&shown, &format!("{word} {species}"))
        })
        .collect()
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        if !s.is_in(OUTSIDE) {
            return go::sentence(OUTSIDE);
        }
        // A subtask that ended before its focus is issued again.
        let waiting = s.last().is_some_and(|last| last.starts_with(stage::WAIT))
            && !s.progress.starts_with(stage::FOCUSED);
        let done = self
            .stages
            .iter()
            .rposition(|stage| s.issued(stage))
            .map_or(0, |last| if waiting { last } else { last + 1 });
        self.stages
            .get(done)
            .or(self.stages.last())
            .cloned()
            .unwrap_or_else(|| go::sentence(OUTSIDE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages() {
        let toad = read(
            "focus on the 3 life stages of the common toad, starting from earliest to latest.",
        )
        .unwrap();
        assert_eq!(
            toad.stages[..2],
            [
                "wait until frog egg appears, then focus on egg common toad",
                "wait until tadpole appears, then focus on tadpole common toad"
            ]
        );
        let turtle =
            read("focus on the 4 life stages of the turtle, starting from earliest to latest.")
                .unwrap();
        assert_eq!(turtle.stages.len(), 4);
        assert_eq!(
            turtle.stages[1],
            "wait until hatchling turtle appears, then focus on hatchling turtle"
        );
        let apple = "focus on the life stages of the apple plant, starting from earliest to latest. The plants are located outside.";
        assert_eq!(
            read(apple).unwrap().stages,
            [
                "wait until there is apple seed, then focus on it",
                "wait until apple tree is seedling, then focus on it",
                "wait until apple tree is adult, then focus on it",
                "wait until apple tree is reproducing, then focus on it",
            ]
        );
        assert!(read("focus on the moon").is_none());
    }
}
