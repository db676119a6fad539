//! `measure the melting point of X, which is located around the kitchen. First, focus on the thermometer. Next, focus on the X. If
//! the melting point of X is above N degrees celsius, focus on the A box. ...`
//!
//! The simulator judges the three things in focus only, and the substances are known ones: their melting points were read off
//! the thermometer of the training games, or are common knowledge, so nothing is melted again.

use rand::Rng;
use rand::seq::IndexedRandom;

use super::thermometer::{self, THERMOMETER};
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{focus, go, search};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    compared: thermometer::Goal,
    is_above: bool,
}

/// Between which readings the substances melted in training games, in degrees Celsius.
const MELTING: [(&str, f64, f64); 4] = [
    ("chocolate", 24.0, 34.0),
    ("gallium", 27.0, 40.0),
    ("lead", 213.0, 368.0),
    ("mercury", f64::NEG_INFINITY, -15.0),
];

/// Melting points of common substances in degrees Celsius, as tables of physical constants have them (mixtures: about). The expert
/// plays no training game with these: they are for drills, as a language model knows them from its reading.
const COMMON: [(&str, f64); 54] = [
    ("acetone", -95.0),
    ("alcohol", -114.0),
    ("aluminium", 660.0),
    ("aluminum", 660.0),
    ("antimony", 631.0),
    ("apple juice", -1.0),
    ("barium", 727.0),
    ("beeswax", 63.0),
    ("bismuth", 271.0),
    ("brass", 930.0),
    ("bromine", -7.0),
    ("bronze", 950.0),
    ("butter", 35.0),
    ("cadmium", 321.0),
    ("caesium", 28.0),
    ("calcium", 842.0),
    ("candle wax", 60.0),
    ("cheese", 65.0),
    ("chromium", 1907.0),
    ("cobalt", 1495.0),
    ("coconut oil", 24.0),
    ("copper", 1085.0),
    ("ethanol", -114.0),
    ("glass", 1500.0),
    ("gold", 1064.0),
    ("ice", 0.0),
    ("ice cream", -3.0),
    ("indium", 157.0),
    ("iodine", 114.0),
    ("iron", 1538.0),
    ("lithium", 181.0),
    ("magnesium", 650.0),
    ("margarine", 35.0),
    ("marshmallow", 45.0),
    ("milk", -1.0),
    ("nickel", 1455.0),
    ("olive oil", -6.0),
    ("orange juice", -1.0),
    ("phosphorus", 44.0),
    ("platinum", 1768.0),
    ("potassium", 64.0),
    ("rubber", 180.0),
    ("silver", 962.0),
    ("sodium", 98.0),
    ("sodium chloride", 801.0),
    ("steel", 1425.0),
    ("sugar", 186.0),
    ("sulfur", 115.0),
    ("tin", 232.0),
    ("titanium", 1668.0),
    ("tungsten", 3422.0),
    ("uranium", 1132.0),
    ("water", 0.0),
    ("zinc", 420.0),
];

/// The limits of the drills are as far from the melting point at least, in degrees.
const MARGIN: f64 = 8.0;

/// Limits of drills, in degrees Celsius, as the instructions write them.
const LIMITS: [&str; 12] = [
    "-50.0", "-20.0", "-10.0", "10.0", "50.0", "100.0", "150.0", "200.0", "250.0", "300.0",
    "400.0", "700.0",
];

/// A substance whose melting point is known, and a limit that it is well above or below.
pub fn example(rng: &mut impl Rng) -> (&'static str, &'static str) {
    let many = MELTING.len() + COMMON.len();
    let (name, low, high) = known(rng.random_range(0..many));
    let is_far = |limit: &&&str| {
        let degrees: f64 = limit.parse().unwrap_or(f64::NAN);
        degrees > high + MARGIN || degrees < low - MARGIN
    };
    let fitting: Vec<_> = LIMITS.iter().filter(is_far).collect();
    (name, fitting.choose(rng).map_or("50.0", |limit| **limit))
}

/// A substance and between which temperatures it melts, by an index below the lengths of both tables.
fn known(index: usize) -> (&'static str, f64, f64) {
    match MELTING.get(index) {
        Some(&of_games) => of_games,
        None => {
            let (name, degrees) = COMMON[index - MELTING.len()];
            (name, degrees, degrees)
        }
    }
}

/// Reads the instruction; `None` for a substance whose melting point is not known.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let compared = thermometer::compared(task, "measure the melting point of ", "focus on the ")?;
    let limit: f64 = compared.limit.parse().ok()?;
    let (_, low, high) = (0..MELTING.len() + COMMON.len())
        .map(known)
        .find(|(name, ..)| *name == compared.name)?;
    // The limits of the training variations lie outside these intervals.
    let is_above = f64::midpoint(low, high) > limit;
    Some(Goal { compared, is_above })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        let goal = &self.compared;
        if !s.is_in(&goal.room) {
            return go::sentence(&goal.room);
        }
        if !s.has_focused_on(THERMOMETER) {
            return focus::sentence(THERMOMETER);
        }
        if !s.has_focused_on(&goal.name) {
            if s.view.find(&goal.name).is_none() {
                return search::sentence(&goal.name);
            }
            return focus::sentence(&goal.name);
        }
        let answer = if self.is_above {
            &goal.above
        } else {
            &goal.below
        };
        focus::sentence(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use stride_environments::scienceworld::view::View;
    use stride_firmware_config::state::Completed;

    fn last_focus(name: &str, limit: &str) -> String {
        let task = format!(
            "measure the melting point of {name}, which is located around the kitchen. First, focus on the thermometer. Next, focus \
             on the {name}. If the melting point of {name} is above {limit} degrees celsius, focus on the blue box. If the \
             melting point of {name} is below {limit} degrees celsius, focus on the orange box. The boxes are located around \
             the kitchen."
        );
        let goal = read(&task).unwrap();
        let mut completed = Completed::new();
        let look = |things: &str| {
            View::read(&format!(
                "kitchen: {things} | doors: hallway open | holding: orange"
            ))
        };
        let hidden = look("fridge closed; thermometer 10");
        let seen = look(&format!("fridge open [{name}]; thermometer 10"));
        for expected in [
            "focus on thermometer".to_owned(),
            format!("find and take {name}"),
        ] {
            let subtask = goal.next(&Situation::new(
                hidden.clone(),
                &completed,
                "You focus on the thermometer.",
            ));
            assert_eq!(subtask, expected);
            completed.push(&subtask, 8);
        }
        let subtask = goal.next(&Situation::new(seen.clone(), &completed, "None"));
        assert_eq!(subtask, format!("focus on {name}"));
        completed.push(&subtask, 8);
        let progress = format!("You focus on the {name}.");
        goal.next(&Situation::new(seen, &completed, &progress))
    }

    #[test]
    fn knows_what_melts_when() {
        for (name, limit, expected) in [
            ("chocolate", "10.0", "focus on blue box"),
            ("chocolate", "50.0", "focus on orange box"),
            ("lead", "200.0", "focus on blue box"),
            ("gallium", "150.0", "focus on orange box"),
            ("mercury", "-10.0", "focus on orange box"),
            ("tungsten", "400.0", "focus on blue box"),
            ("butter", "50.0", "focus on orange box"),
        ] {
            assert_eq!(last_focus(name, limit), expected, "{name} {limit}");
        }
        let unknown = "measure the melting point of velcrum, which is located around the kitchen. If the melting point of velcrum is above \
            50.0 degrees celsius, focus on the red box. If the melting point of velcrum is below 50.0 degrees celsius, focus on the \
            blue box. The boxes are located around the kitchen.";
        assert!(
            thermometer::compared(unknown, "measure the melting point of ", "focus on the ")
                .is_some()
        );
        assert!(read(unknown).is_none());
    }
    #[test]
    fn examples_have_answers_of_both_kinds_that_no_degree_more_would_change() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut answers = BTreeSet::new();
        for _ in 0..2000 {
            let (name, limit) = example(&mut rng);
            let goal = read(&format!(
                "measure the melting point of {name}, which is located around the kitchen. If the melting point of {name} is above \
                 {limit} degrees celsius, focus on the blue box. If the melting point of {name} is below {limit} degrees celsius, \
                 focus on the orange box. The boxes are located around the kitchen."
            ))
            .unwrap();
            answers.insert((name, goal.is_above));
        }
        let names: BTreeSet<_> = answers.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), MELTING.len() + COMMON.len(), "each comes up");
        assert!(
            answers.len() > names.len() * 3 / 2,
            "most with both answers"
        );
    }
}
