//! `use chemistry to create green paint. When you are done, focus on the green paint.`
//!
//! Two tasks: a secondary colour (of two primary ones), or a tertiary one (of a secondary and a primary one), whose secondary
//! colour must be focused on when it is made. Paint stands in the art studio; the large cupboard holds more of it.

use crate::scienceworld::house::ART_STUDIO;
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{focus, go, mix};

/// What is asked: paints by their full names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    paint: String,
    /// The secondary colour on the way.
    secondary: Secondary,
    /// What a tertiary colour takes besides; `None` when the aim is the secondary colour.
    extra: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Secondary {
    paint: String,
    primaries: [&'static str; 2],
}

/// Colour, and what it is mixed from, as in the training variations.
const SECONDARIES: [(&str, [&str; 2]); 4] = [
    ("green", ["blue paint", "yellow paint"]),
    ("orange", ["red paint", "yellow paint"]),
    ("violet", ["red paint", "blue paint"]),
    ("purple", ["red paint", "blue paint"]),
];

/// Things of the art studio that paint is mixed in; the best first.
pub(super) const VESSELS: [&str; 3] = ["jug", "bowl", "glass cup"];

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let rest = task.strip_prefix("use chemistry to create ")?;
    let (colour, _) = rest.split_once(" paint. ")?;
    let (secondary, extra) = match colour.split_once('-') {
        None => (secondary(colour)?, None),
        Some((one, other)) => match (secondary(one), secondary(other)) {
            (Some(found), None) => (found, Some(format!("{other} paint"))),
            (None, Some(found)) => (found, Some(format!("{one} paint"))),
            _ => return None,
        },
    };
    Some(Goal {
        paint: format!("{colour} paint"),
        secondary,
        extra,
    })
}

fn secondary(colour: &str) -> Option<Secondary> {
    SECONDARIES
        .iter()
        .find(|(name, _)| *name == colour)
        .map(|(name, primaries)| Secondary {
            paint: format!("{name} paint"),
            primaries: *primaries,
        })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        if s.view.find(&self.paint).is_some() {
            return focus::sentence(&self.paint);
        }
        let made = &self.secondary.paint;
        if let (Some(extra), Some(vessel)) = (
            &self.extra,
            s.view.everything().find(|thing| thing.contains(made)),
        ) {
            // A second focus on it would end the episode, so what the world just said counts too.
            let said = format!("{}the {made}.", focus::FOCUSED);
            return if s.view.feedback == said || s.has_focused_on(made) {
                mix::sentence(&[made, extra], &vessel.name)
            } else {
                focus::sentence(made)
            };
        }
        let vessel = VESSELS.iter().find(|name| s.view.find(name).is_some());
        match vessel {
            Some(vessel) if s.is_in(ART_STUDIO) => mix::sentence(&self.secondary.primaries, vessel),
            _ => go::sentence(ART_STUDIO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scienceworld::families::testing;

    fn next(task: &str, issued: &[&str], observation: &str) -> String {
        let line = format!("{observation} | doors: hallway open | holding: orange");
        testing::next(task, &line, issued, "None")
    }

    #[test]
    fn a_tertiary_colour() {
        let task = "use chemistry to create green-blue paint. When you are part-way done, focus on the intermediate \
            (secondary color) paint you created. When you are completely done, focus on the green paint.";
        let start = "art studio: large cupboard closed; table [bowl []]; wood cup [blue paint]; wood cup [yellow paint]";
        assert_eq!(next(task, &[], "hallway: picture"), "go to the art studio");
        assert_eq!(
            next(task, &[], start),
            "mix blue paint and yellow paint in bowl"
        );
        let green = "art studio: large cupboard closed; table [bowl [green paint]]; wood cup []";
        assert_eq!(next(task, &[], green), "focus on green paint");
        let mixing = "mix green paint and blue paint in bowl";
        assert_eq!(next(task, &["focus on green paint", mixing], green), mixing);
        let said = format!("You focus on the green paint. | {green}");
        assert_eq!(next(task, &["focus on green paint"], &said), mixing);
        let done = "art studio: large cupboard open []; table [bowl [green-blue paint]]";
        assert_eq!(
            next(task, &["focus on green paint"], done),
            "focus on green-blue paint"
        );
    }

    #[test]
    fn a_secondary_colour() {
        let task =
            "use chemistry to create orange paint. When you are done, focus on the orange paint.";
        assert_eq!(
            next(
                task,
                &[],
                "art studio: table [jug []]; wood cup [red paint]"
            ),
            "mix red paint and yellow paint in jug"
        );
        assert_eq!(
            next(task, &[], "art studio: table [jug [orange paint]]"),
            "focus on orange paint"
        );
        assert!(read("use chemistry to create red-blue paint. When").is_none());
    }
}
