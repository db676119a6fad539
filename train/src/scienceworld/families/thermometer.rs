//! `measure the temperature of X, which is located around the ROOM. ... If the X temperature is above N degrees celsius, place it
//! in the A box. If ... below ..., place it in the B box. The boxes are located around the ROOM.`

use stride_environments::scienceworld::view::Place;

use crate::scienceworld::house::KITCHEN;
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::measure::{self, Comparison};
use crate::scienceworld::skill::{focus, go, put, search, take};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// What is measured.
    pub(super) name: String,
    /// The room it is in.
    pub(super) room: String,
    /// Degrees, as the task writes them.
    pub(super) limit: String,
    /// The box for what is above the limit.
    pub(super) above: String,
    /// The box for what is below the limit.
    pub(super) below: String,
    /// The room of the boxes.
    pub(super) boxes: String,
}

/// It is in the kitchen in every training variation.
pub(super) const THERMOMETER: &str = "thermometer";

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    compared(task, "measure the temperature of ", "place it in the ")
}

/// Reads what the two tasks with a thermometer have in common; `choose` stands before the box.
pub(super) fn compared(task: &str, start: &str, choose: &str) -> Option<Goal> {
    let (name, rest) = task
        .strip_prefix(start)?
        .split_once(", which is located around the ")?;
    let (room, rest) = rest.split_once(". ")?;
    let (_, rest) = rest.split_once(" is above ")?;
    let (limit, rest) = rest.split_once(" degrees celsius, ")?;
    let (above, rest) = rest.strip_prefix(choose)?.split_once(". ")?;
    let (_, rest) = rest.split_once(choose)?;
    let (below, rest) = rest.split_once(". ")?;
    let boxes = rest.strip_prefix("The boxes are located around the ")?;
    Some(Goal {
        name: name.to_owned(),
        room: room.to_owned(),
        limit: limit.to_owned(),
        above: above.to_owned(),
        below: below.to_owned(),
        boxes: boxes.trim_end_matches('.').to_owned(),
    })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        if !s.view.holds(THERMOMETER) {
            return get(s, THERMOMETER, KITCHEN);
        }
        let held = s.view.holds(&self.name);
        // It is focused on early: when names of subtasks are forgotten, this was among them.
        if !held && !s.has_focused_on(THERMOMETER) && s.completed.dropped() == 0 {
            return focus::sentence(THERMOMETER);
        }
        if !held {
            return get(s, &self.name, &self.room);
        }
        if !s.has_focused_on(&self.name) && !s.issued("measure ") {
            return focus::sentence(&self.name);
        }
        if !s.is_in(&self.boxes) {
            return go::sentence(&self.boxes);
        }
        let measured = s.last().and_then(measure::read).is_some();
        match measure::result(s.progress).filter(|_| measured) {
            Some(Comparison::Above) => put::sentence(&self.name, &self.above),
            Some(Comparison::Below) => put::sentence(&self.name, &self.below),
            _ => measure::sentence(&self.name, &self.limit),
        }
    }
}

/// What lies openly is taken; what is in something else may be another one of that name, so its room comes first.
fn get(s: &Situation<'_>, name: &str, room: &str) -> String {
    match s.view.place_of(name) {
        Some(Place::Room) => take::sentence(name),
        _ if s.is_in(room) => search::sentence(name),
        _ => go::sentence(room),
    }
}

#[cfg(test)]
mod tests {
    use crate::scienceworld::families::testing;

    const TASK: &str = "measure the temperature of metal fork, which is located around the bedroom. First, focus on the thermometer. \
        Next, focus on the metal fork. If the metal fork temperature is above 100.0 degrees celsius, place it in the red box. If \
        the metal fork temperature is below 100.0 degrees celsius, place it in the green box. The boxes are located around the \
        bathroom.";

    fn next(observation: &str, issued: &[&str], progress: &str) -> String {
        testing::next(TASK, observation, issued, progress)
    }

    #[test]
    fn measures_where_the_boxes_are() {
        let at = |room: &str, things: &str, holding: &str| {
            format!("{room}: {things} | doors: kitchen open | holding: {holding}")
        };
        let both = "thermometer, metal fork";
        assert_eq!(
            next(&at("hallway", "picture", "orange"), &[], "None"),
            "go to the kitchen"
        );
        assert_eq!(
            next(&at("kitchen", "thermometer 10", "orange"), &[], "None"),
            "pick up thermometer"
        );
        assert_eq!(
            next(&at("kitchen", "sink off []", "thermometer"), &[], "None"),
            "focus on thermometer"
        );
        let issued = [
            "focus on thermometer",
            "go to the bedroom",
            "pick up metal fork",
        ];
        assert_eq!(
            next(
                &at("bedroom", "metal fork", "thermometer"),
                &issued[..2],
                "None"
            ),
            issued[2]
        );
        assert_eq!(
            next(&at("bedroom", "bed []", both), &issued, "None"),
            "focus on metal fork"
        );
        assert_eq!(
            next(
                &at("kitchen", "bowl [metal fork]", "thermometer"),
                &issued[..1],
                "You focus on the thermometer."
            ),
            issued[1],
            "another one of that name"
        );
        let mut issued = vec![issued[0], "focus on metal fork", "go to the bathroom"];
        assert_eq!(
            next(
                &at("bedroom", "bed []", both),
                &issued[..2],
                "You focus on the metal fork."
            ),
            issued[2]
        );
        let bathroom = at("bathroom", "green box []; red box []", both);
        assert_eq!(
            next(&bathroom, &issued, "None"),
            "measure metal fork against 100.0 degrees"
        );
        issued.push("measure metal fork against 100.0 degrees");
        let read = |words: &str| format!("metal fork has 101 degrees, {words} 100.0.");
        assert_eq!(next(&bathroom, &issued, &read("close to")), issued[3]);
        assert_eq!(
            next(&bathroom, &issued, &read("above")),
            "move metal fork to red box"
        );
        assert_eq!(
            next(&bathroom, &issued, &read("below")),
            "move metal fork to green box"
        );
    }
}
