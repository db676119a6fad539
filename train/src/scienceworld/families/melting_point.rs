//! `measure the melting point of X, which is located around the kitchen. First, focus on the thermometer. Next, focus on the X. If
//! the melting point of X is above N degrees celsius, focus on the A box. ...`
//!
//! The simulator judges the three things in focus only, and the substances are known ones: their melting points were read off
//! the thermometer of the training games, so nothing is melted again.

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

/// Reads the instruction; `None` for a substance whose melting point is not known.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let compared = thermometer::compared(task, "measure the melting point of ", "focus on the ")?;
    let limit: f64 = compared.limit.parse().ok()?;
    let (_, low, high) = MELTING
        .into_iter()
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
        ] {
            assert_eq!(last_focus(name, limit), expected, "{name} {limit}");
        }
        let unknown = "measure the melting point of tin, which is located around the kitchen. If the melting point of tin is above \
            50.0 degrees celsius, focus on the red box. If the melting point of tin is below 50.0 degrees celsius, focus on the \
            blue box. The boxes are located around the kitchen.";
        assert!(
            thermometer::compared(unknown, "measure the melting point of ", "focus on the ")
                .is_some()
        );
        assert!(read(unknown).is_none());
    }
}
