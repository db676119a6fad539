//! `turn on the red light bulb. First, focus on the red light bulb. Then, create an electrical circuit that powers it on.`
//!
//! Two tasks; the second asks for a renewable or a nonrenewable source of power, of the kinds that the
//! training variations know. The parts are in the workshop, the sun and the wind outside.

use stride_environments::scienceworld::view::View;

use crate::scienceworld::house::{OUTSIDE, WORKSHOP};
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::{circuit, drop, focus, go, take};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    device: String,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Any,
    Renewable,
    Nonrenewable,
}

/// Wires between a source and a device.
const WIRES: usize = 2;

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let rest = task.strip_prefix("turn on the ")?;
    let (rest, _) = rest.split_once(". First, focus on the ")?;
    let (device, source) = match rest.split_once(" by powering it using a ") {
        None => (rest, Source::Any),
        Some((device, "renewable power source")) => (device, Source::Renewable),
        Some((device, "nonrenewable power source")) => (device, Source::Nonrenewable),
        Some(_) => return None,
    };
    Some(Goal {
        device: device.to_owned(),
        source,
    })
}

impl Goal {
    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        let Some(source) = self.source.find(&s.view) else {
            return go::sentence(WORKSHOP);
        };
        let Some(device) = s.view.find(&self.device) else {
            return go::sentence(WORKSHOP);
        };
        // Of a longer list only the newest are known; the focus was among the first.
        // A device that runs while the task goes on was not in focus.
        let missed = !s.has_focused_on(&self.device) && s.completed.dropped() == 0;
        if missed || device.is_on() {
            return focus::sentence(&self.device);
        }
        if self.source == Source::Renewable && !s.is_in(OUTSIDE) {
            return self.carry_out(&s.view, source);
        }
        if self.source == Source::Renewable && s.view.holds(source) {
            return drop::sentence(source);
        }
        circuit::sentence(source, &self.device)
    }

    /// Source, device and wires are taken outside.
    fn carry_out(&self, view: &View, source: &str) -> String {
        let parts = [source, self.device.as_str()];
        if let Some(left) = parts.into_iter().find(|part| !view.holds(part)) {
            return take::sentence(left);
        }
        let held = view.holding.iter().filter(|t| circuit::is_wire(&t.name));
        let wire = view
            .things
            .iter()
            .flat_map(|thing| thing.walk())
            .find(|thing| circuit::is_wire(&thing.name));
        match wire {
            _ if held.count() >= WIRES => go::sentence(OUTSIDE),
            Some(wire) => take::sentence(&wire.name),
            None => go::sentence(WORKSHOP),
        }
    }
}

impl Source {
    /// The source of this kind in sight.
    fn find(self, view: &View) -> Option<&str> {
        let kinds: &[&str] = match self {
            Self::Any => &["battery"],
            Self::Renewable => &["solar panel", "wind generator"],
            Self::Nonrenewable => &["gas generator", "nuclear generator"],
        };
        view.everything()
            .map(|thing| thing.name.as_str())
            .find(|name| kinds.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use crate::scienceworld::families::testing;

    fn next(task: &str, issued: &[&str], observation: &str) -> String {
        testing::next(task, observation, issued, "None")
    }

    const FOCUS: &str = ". First, focus on the red light bulb. Then, create an electrical circuit that powers it on.";
    const PARTS: &str = "workshop: gas generator off; red light bulb off; solar panel off; table [battery, blue wire, tan \
        wire] | doors: hallway open | holding: orange";

    #[test]
    fn any_source() {
        let task = format!("turn on the red light bulb{FOCUS}");
        let hall = "hallway: picture | doors: workshop closed | holding: orange";
        assert_eq!(next(&task, &[], hall), "go to the workshop");
        assert_eq!(next(&task, &[], PARTS), "focus on red light bulb");
        let wire = "wire battery and red light bulb in a circuit";
        let issued = ["focus on red light bulb", wire];
        assert_eq!(next(&task, &issued, PARTS), wire);
        let on = PARTS.replace("bulb off", "bulb on");
        assert_eq!(next(&task, &issued, &on), "focus on red light bulb");
    }

    #[test]
    fn sun_and_gas() {
        let issued = ["focus on red light bulb", "go to the workshop"];
        let gas = format!(
            "turn on the red light bulb by powering it using a nonrenewable power source{FOCUS}"
        );
        assert_eq!(
            next(&gas, &issued, PARTS),
            "wire gas generator and red light bulb in a circuit"
        );
        let sun = format!(
            "turn on the red light bulb by powering it using a renewable power source{FOCUS}"
        );
        assert_eq!(next(&sun, &issued, PARTS), "pick up solar panel");
        let taken = "workshop: table [tan wire] | doors: hallway open | holding: solar panel off, red light bulb off, blue wire";
        assert_eq!(next(&sun, &issued, taken), "pick up tan wire");
        let outside = "outside: axe | doors: kitchen open | holding: solar panel off, red light bulb off, blue wire, tan wire";
        assert_eq!(next(&sun, &issued, outside), "drop solar panel");
        let dropped = "outside: axe; solar panel off | doors: kitchen open | holding: red light bulb off, blue wire, tan wire";
        assert_eq!(
            next(&sun, &issued, dropped),
            "wire solar panel and red light bulb in a circuit"
        );
    }
}
