//! `measure X against N degrees`: one reading of the thermometer. Its progress says the comparison in words.
//!
//! Things drift towards the temperature of the room, and a box is judged by the temperature at the moment a thing is put in. A
//! reading that the drift could carry across the limit is `close to` it: it is taken again.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill, said};

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    name: String,
    limit: String,
}

/// What a reading says of the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Above it, and it stays there for a while.
    Above,
    /// Below it, and it stays there for a while.
    Below,
    /// It may cross the limit soon.
    Close,
}

/// Degrees that a thing at this limit drifts at most in one step: a tenth of its distance from the rooms, which are about 0 to 25
/// degrees warm.
fn drift(limit: f64) -> f64 {
    2.0 + limit.abs() / 10.0
}

impl Comparison {
    const ALL: [Self; 3] = [Self::Above, Self::Below, Self::Close];

    const fn words(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Below => "below",
            Self::Close => "close to",
        }
    }

    /// The drift leads down to a limit above the temperature of the rooms, and up to one of 0 and less.
    fn of(reading: f64, limit: f64) -> Self {
        let margin = if limit > 0.0 {
            drift(limit)
        } else {
            -drift(limit)
        };
        let (low, high) = if margin > 0.0 {
            (limit, limit + margin)
        } else {
            (limit + margin, limit)
        };
        if reading > high {
            Self::Above
        } else if reading < low {
            Self::Below
        } else {
            Self::Close
        }
    }
}

/// The subtask's sentence; `limit` as the task writes it.
#[must_use]
pub fn sentence(name: &str, limit: &str) -> String {
    format!("measure {name} against {limit} degrees")
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Measure> {
    let rest = subtask.strip_prefix("measure ")?;
    let (name, limit) = rest.strip_suffix(" degrees")?.rsplit_once(" against ")?;
    Some(Measure {
        name: name.to_owned(),
        limit: limit.to_owned(),
    })
}

/// What the final progress of this subtask says; `None` when there was no reading.
#[must_use]
pub fn result(progress: &str) -> Option<Comparison> {
    let (_, words) = progress.split_once(" degrees, ")?;
    Comparison::ALL
        .into_iter()
        .find(|comparison| words.starts_with(comparison.words()))
}

impl Skill for Measure {
    fn act(&self, _view: &View, _progress: &str) -> Action {
        Action::finish(format!("use thermometer on {}", self.name))
    }

    fn rewrite(&self, view: &View, _progress: &str, _action: &str) -> String {
        let reading = view
            .feedback
            .split_once("measures a temperature of ")
            .and_then(|(_, tail)| tail.split(' ').next());
        let numbers =
            reading.and_then(|reading| Some((reading.parse().ok()?, self.limit.parse().ok()?)));
        match (reading, numbers) {
            (Some(reading), Some((number, limit))) => {
                let words = Comparison::of(number, limit).words();
                format!(
                    "{} has {reading} degrees, {words} {}.",
                    self.name, self.limit
                )
            }
            _ => said(view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(reading: i32, limit: &str) -> String {
        let measure = read(&sentence("metal fork", limit)).unwrap();
        let view = View::read(&format!(
            "the thermometer measures a temperature of {reading} degrees celsius | bedroom: bed [] | doors: hallway open | \
             holding: thermometer, metal fork"
        ));
        measure.rewrite(&view, "None", "use thermometer on metal fork")
    }

    #[test]
    fn compares_with_the_limit_and_the_drift() {
        assert_eq!(
            progress(26, "100.0"),
            "metal fork has 26 degrees, below 100.0."
        );
        for (reading, limit, expected) in [
            (51, "50.0", Comparison::Close),
            (48, "50.0", Comparison::Below),
            (150, "100.0", Comparison::Above),
            (-1, "0.0", Comparison::Close),
            (-8, "0.0", Comparison::Below),
            (4, "0.0", Comparison::Above),
            (-70, "-50.0", Comparison::Below),
            (26, "-50.0", Comparison::Above),
        ] {
            assert_eq!(
                result(&progress(reading, limit)),
                Some(expected),
                "{reading} {limit}"
            );
        }
        assert_eq!(result("No known action matches that input."), None);
    }
}
