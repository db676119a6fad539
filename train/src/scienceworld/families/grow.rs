//! `grow a apple plant from seed. ...` and `grow a apple. This will require growing several plants, ...`
//!
//! Seeds, soil and a pot; the pot goes into the sink, whose running water keeps it wet. For fruit there are two pots, and
//! the bees of the greenhouse carry the pollen.

use stride_environments::scienceworld::view::View;

use crate::scienceworld::house::GREENHOUSE;
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{focus, garden, go, plant, put, soil, take};

/// The pots, in the order of their use: one for a plant, two for fruit.
const POTS: [&str; 2] = ["flower pot 1", "flower pot 2"];

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    kind: String,
    seeds_in: String,
    fruit: bool,
}

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let (what, rest) = task.strip_prefix("grow a")?.split_once(". ")?;
    let what = what.strip_prefix('n').unwrap_or(what).trim_start();
    let (_, seeds) = rest.split_once("Seeds can be found in the ")?;
    let (seeds_in, _) = seeds.split_once(". ")?;
    let (kind, fruit) = match what.strip_suffix(" plant from seed") {
        Some(kind) => (kind, false),
        None => (what, true),
    };
    Some(Goal {
        kind: kind.to_owned(),
        seeds_in: seeds_in.to_owned(),
        fruit,
    })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        let view = &s.view;
        let pots = if self.fruit { &POTS[..] } else { &POTS[..1] };
        if let Some(subtask) = self.sow(view, pots) {
            return subtask;
        }
        if let Some(pot) = pots.iter().find(|pot| !plant::is_in_sink(view, pot)) {
            return put::sentence(pot, plant::SINK);
        }
        let seed = format!("{} seed", self.kind);
        let tree = format!("{} tree", self.kind);
        if self.fruit {
            return if garden::lacks_care(view) {
                garden::bees_sentence()
            } else {
                garden::ripen_sentence(&tree)
            };
        }
        if view.find(POTS[0]).is_some_and(|pot| pot.contains(&seed)) && !s.issued("focus on ") {
            return focus::sentence(&format!("{seed} in {}", POTS[0]));
        }
        garden::grow_sentence(&tree)
    }

    /// All that comes before the pots are planted; `None` when they are.
    fn sow(&self, view: &View, pots: &[&str]) -> Option<String> {
        if pots.iter().all(|pot| plant::is_planted(view, pot)) {
            return (view.room != GREENHOUSE).then(|| go::sentence(GREENHOUSE));
        }
        if !view.holds(plant::JAR) && !pots.iter().any(|pot| plant::is_planted(view, pot)) {
            return Some(if view.find(plant::JAR).is_some() {
                take::sentence(plant::JAR)
            } else {
                go::sentence(&self.seeds_in)
            });
        }
        if pots.iter().any(|pot| soil::lacks_soil(view, pot)) {
            return Some(soil::sentence(pots));
        }
        if view.room != GREENHOUSE {
            return Some(go::sentence(GREENHOUSE));
        }
        let pot = pots.iter().find(|pot| !plant::is_planted(view, pot))?;
        // The last pot takes what is left in the jar.
        Some(if self.fruit && *pot == POTS[1] {
            plant::sentence_rest(pot)
        } else {
            plant::sentence(&format!("{} seed", self.kind), pot)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::scienceworld::families::testing;

    const FRUIT: &str = "grow a apple. This will require growing several plants, and them being crosspollinated to produce \
        fruit. Seeds can be found in the kitchen. To complete the task, focus on the grown apple.";
    const PLANT: &str = "grow a apple plant from seed. Seeds can be found in the kitchen. First, focus on a seed. Then, make \
        changes to the environment that grow the plant until it reaches the reproduction life stage.";

    fn next(task: &str, line: &str, issued: &[&str]) -> String {
        testing::next(task, line, issued, "None")
    }

    #[test]
    fn seeds_then_soil_then_pots() {
        let hall = "hallway: picture | doors: kitchen closed | holding: orange";
        assert_eq!(next(PLANT, hall, &[]), "go to the kitchen");
        let kitchen =
            "kitchen: seed jar [apple seed, apple seed] | doors: hallway open | holding: orange";
        assert_eq!(next(PLANT, kitchen, &[]), "pick up seed jar");
        let jar = "holding: seed jar [apple seed, apple seed]";
        let kitchen = format!("kitchen: table [] | doors: hallway open | {jar}");
        assert_eq!(next(PLANT, &kitchen, &[]), "go to the greenhouse");
        let bare = format!(
            "greenhouse: flower pot 1 []; flower pot 2 []; sink off [] | doors: hallway open | {jar}"
        );
        assert_eq!(next(PLANT, &bare, &[]), "fill flower pot 1 with soil");
        assert_eq!(
            next(FRUIT, &bare, &[]),
            "fill flower pot 1 and flower pot 2 with soil"
        );
        let outside = format!(
            "outside: ground | doors: greenhouse open | {jar}, flower pot 1 [soil], flower pot 2 [soil]"
        );
        assert_eq!(next(FRUIT, &outside, &[]), "go to the greenhouse");
        let ready = format!(
            "greenhouse: flower pot 1 [soil]; flower pot 2 [soil]; sink off [] | doors: hallway open | {jar}"
        );
        assert_eq!(
            next(FRUIT, &ready, &[]),
            "plant apple seed in flower pot 1 and put it in the sink"
        );
    }

    #[test]
    fn care() {
        let planted = "greenhouse: bee hive closed; sink off [flower pot 1 [apple seed, soil], flower pot 2 [apple seed, apple seed, \
            soil]] | doors: hallway open | holding: seed jar []";
        assert_eq!(
            next(PLANT, planted, &[]),
            "focus on apple seed in flower pot 1"
        );
        assert_eq!(
            next(PLANT, planted, &["focus on apple seed in flower pot 1"]),
            "turn on the sink and wait until apple tree is reproducing"
        );
        assert_eq!(
            next(FRUIT, planted, &[]),
            "turn on the sink, close the doors and open the bee hive"
        );
        let growing = "greenhouse: bee hive open []; sink on [flower pot 1 [apple tree adult, soil], flower pot 2 [apple tree \
            adult, soil]] | doors: hallway closed | holding: seed jar []";
        assert_eq!(
            next(FRUIT, growing, &[]),
            "wait until apple tree bears fruit, then focus on it"
        );
    }
}
