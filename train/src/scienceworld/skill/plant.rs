//! `plant apple seed in flower pot 1 and put it in the sink`: a pot in a running sink is watered all the time.
//!
//! `plant the other seeds in flower pot 2 and put it in the sink` empties the seed jar at once: that saves the question
//! which of the seeds is meant.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill, said};

/// What the seeds come in.
pub const JAR: &str = "seed jar";
/// What waters the pots.
pub const SINK: &str = "sink";

const PLACE: &str = " and put it in the sink";
const REST: &str = "the other seeds";

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plant {
    /// `None`: all the seeds.
    seed: Option<String>,
    pot: String,
}

/// The sentence for one seed.
#[must_use]
pub fn sentence(seed: &str, pot: &str) -> String {
    format!("plant {seed} in {pot}{PLACE}")
}

/// The sentence for all the seeds that the jar still holds.
#[must_use]
pub fn sentence_rest(pot: &str) -> String {
    sentence(REST, pot)
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Plant> {
    let (seed, pot) = subtask
        .strip_prefix("plant ")?
        .strip_suffix(PLACE)?
        .split_once(" in ")?;
    Some(Plant {
        seed: (seed != REST).then(|| seed.to_owned()),
        pot: pot.to_owned(),
    })
}

/// Whether a pot is seen with a seed or a plant in it.
#[must_use]
pub fn is_planted(view: &View, pot: &str) -> bool {
    view.find(pot).is_some_and(|pot| {
        pot.contents()
            .iter()
            .any(|thing| thing.name.ends_with(" seed") || thing.name.ends_with(" tree"))
    })
}

/// Whether a pot stands in the sink.
#[must_use]
pub fn is_in_sink(view: &View, pot: &str) -> bool {
    view.find(SINK).is_some_and(|sink| sink.contains(pot))
}

impl Skill for Plant {
    fn act(&self, view: &View, _progress: &str) -> Action {
        let pot = &self.pot;
        if is_planted(view, pot) {
            return if is_in_sink(view, pot) {
                Action::give_back()
            } else {
                Action::finish(format!("move {pot} to {SINK}"))
            };
        }
        if view.find(JAR).is_none_or(|jar| jar.contents().is_empty()) {
            return Action::give_back();
        }
        Action::go_on(match &self.seed {
            Some(seed) => format!("move {seed} in {JAR} to {pot}"),
            None => format!("pour {JAR} into {pot}"),
        })
    }

    fn rewrite(&self, view: &View, _progress: &str, _action: &str) -> String {
        let pot = &self.pot;
        match (is_planted(view, pot), is_in_sink(view, pot)) {
            (true, true) => format!("Planted, and {pot} is in the sink."),
            (true, false) => format!("Planted; {pot} is not in the sink."),
            (false, _) => said(view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(subtask: &str, things: &str) -> String {
        let line = format!(
            "greenhouse: {things} | doors: outside open | holding: seed jar [apple seed, apple seed]"
        );
        read(subtask)
            .unwrap()
            .act(&View::read(&line), "None")
            .to_string()
    }

    #[test]
    fn plants_then_waters() {
        let one = sentence("apple seed", "flower pot 1");
        assert_eq!(
            act(&one, "flower pot 1 [soil]; sink off []"),
            "move apple seed in seed jar to flower pot 1; False"
        );
        assert_eq!(
            act(&one, "flower pot 1 [apple seed, soil]; sink off []"),
            "move flower pot 1 to sink; True"
        );
        assert_eq!(
            act(&one, "sink off [flower pot 1 [apple seed, soil]]"),
            "look around; True"
        );
        assert_eq!(
            act(
                &sentence_rest("flower pot 2"),
                "flower pot 2 [soil]; sink off [flower pot 1 [apple seed, soil]]"
            ),
            "pour seed jar into flower pot 2; False"
        );
    }
}
