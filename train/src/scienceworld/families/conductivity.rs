//! `determine if X is electrically conductive. The X is located around the kitchen. First, focus on the X. If it is
//! electrically conductive, place it in the red box. If it is electrically nonconductive, place it in the green box.`
//!
//! Two tasks: known and unknown substances. X goes into a ring of battery, light bulb and X; the light tells.

use crate::scienceworld::house::WORKSHOP;
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{circuit, focus, go, names, put, take};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    object: String,
    room: String,
    conductive: String,
    nonconductive: String,
}

/// The source of every test. It is in the workshop, with the wires, the light bulbs and the boxes.
const BATTERY: &str = "battery";

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let rest = task.strip_prefix("determine if ")?;
    let (object, rest) = rest.split_once(" is electrically conductive. ")?;
    let (_, rest) = rest.split_once(" is located around the ")?;
    let (room, rest) = rest.split_once(". ")?;
    let (_, rest) = rest.split_once("electrically conductive, place it in the ")?;
    let (conductive, rest) = rest.split_once(". ")?;
    let (_, rest) = rest.split_once("electrically nonconductive, place it in the ")?;
    Some(Goal {
        object: object.to_owned(),
        room: room.to_owned(),
        conductive: conductive.to_owned(),
        nonconductive: rest.trim_end_matches('.').to_owned(),
    })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        let last = s.last().unwrap_or_default();
        if last.starts_with("wire ")
            && let Some(lit) = circuit::result(s.progress, BATTERY)
        {
            return put::sentence(&self.object, self.target(lit));
        }
        // It fell short of the box: once more, without another test.
        if last == put::sentence(&self.object, &self.conductive)
            || last == put::sentence(&self.object, &self.nonconductive)
        {
            return last.to_owned();
        }
        if names::find(&s.view, &self.object).is_none() {
            return self.search(s);
        }
        if !s.has_focused_on(&self.object) {
            return focus::sentence(&self.object);
        }
        if !s.is_in(WORKSHOP) {
            return if names::holds(&s.view, &self.object) {
                go::sentence(WORKSHOP)
            } else {
                take::sentence(&self.object)
            };
        }
        let bulb = s
            .view
            .everything()
            .find(|t| t.name.ends_with(" light bulb"));
        match bulb {
            Some(bulb) => circuit::sentence_with(BATTERY, &bulb.name, &self.object),
            None => go::sentence(WORKSHOP),
        }
    }

    /// It is in the named room, perhaps in something closed; or it was left in the workshop.
    fn search(&self, s: &Situation<'_>) -> String {
        if s.issued("wire ") && !s.is_in(WORKSHOP) {
            return go::sentence(WORKSHOP);
        }
        if !s.is_in(&self.room) {
            return go::sentence(&self.room);
        }
        match s.view.everything().find(|t| t.is_closed()) {
            Some(closed) => take::sentence_from(&self.object, &closed.name),
            None => go::sentence(WORKSHOP),
        }
    }

    fn target(&self, lit: bool) -> &str {
        if lit {
            &self.conductive
        } else {
            &self.nonconductive
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::scienceworld::families::testing;

    const TASK: &str = "determine if apricot is electrically conductive. The apricot is located around the kitchen. First, \
        focus on the apricot. If it is electrically conductive, place it in the red box. If it is electrically nonconductive, \
        place it in the green box.";

    fn next(issued: &[&str], progress: &str, observation: &str) -> String {
        testing::next(TASK, observation, issued, progress)
    }

    #[test]
    fn a_plan() {
        let kitchen = "kitchen: orange apricot; chair [] | doors: hallway open | holding: orange";
        let held = "kitchen: chair [] | doors: hallway open | holding: orange apricot";
        let workshop = "workshop: green box []; red box []; table [battery, blue light bulb off, red wire] | doors: \
            hallway open | holding: orange apricot";
        assert_eq!(
            next(
                &[],
                "None",
                "hallway:  | doors: kitchen closed | holding: orange"
            ),
            "go to the kitchen"
        );
        assert_eq!(next(&[], "None", kitchen), "focus on apricot");
        let focused = ["focus on apricot"];
        let failed = "No known action matches that input.";
        assert_eq!(next(&focused, failed, kitchen), "focus on apricot");
        let closed = "kitchen: chair []; fridge closed | doors: hallway open | holding: orange";
        assert_eq!(next(&[], "None", closed), "pick up apricot from the fridge");
        let focused = ["focus on apricot", "go to the kitchen"];
        assert_eq!(next(&focused, "None", kitchen), "pick up apricot");
        assert_eq!(next(&focused, "None", held), "go to the workshop");
        let wire = "wire battery, blue light bulb and apricot in a circuit";
        assert_eq!(next(&focused, "None", workshop), wire);
        let issued = ["focus on apricot", wire];
        let away = "hallway: picture | doors: workshop open | holding: orange";
        assert_eq!(next(&issued, "None", away), "go to the workshop");
        let ring = "|| [Connections: battery - a wire - blue light bulb - b wire - apricot - c wire - battery]";
        for (state, bin) in [("on", "red"), ("off", "green")] {
            let shown = format!("The blue light bulb is {state}. {ring}");
            assert_eq!(
                next(&issued, &shown, workshop),
                format!("move apricot to {bin} box")
            );
        }
        let open = "The blue light bulb is off. || [Connections: battery - a wire]";
        assert_eq!(next(&issued, open, workshop), wire);
    }
}
