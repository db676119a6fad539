//! `melt X in V with the A`, `freeze X in V with the A`, `boil X in V with the A`: puts the vessel V into the appliance A,
//! switches it on and waits. When the substance has another name it is in another state: the vessel is taken out again.

use stride_environments::scienceworld::view::View;

use super::{Action, Skill, one_wait_more, said, vessel, wait};

/// What is done to the substance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Heated until it is liquid.
    Melt,
    /// Heated until the task is done: it may melt on the way.
    Boil,
    /// Cooled until it is solid.
    Freeze,
}

/// The subtask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Treat {
    verb: Verb,
    substance: String,
    vessel: String,
    appliance: String,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Melt, Self::Boil, Self::Freeze];

    /// The first word of the sentence.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Melt => "melt",
            Self::Boil => "boil",
            Self::Freeze => "freeze",
        }
    }

    /// Heat must not overshoot, so it is watched every moment; cold takes its time.
    const fn wait(self) -> &'static str {
        match self {
            Self::Melt | Self::Boil => "wait1",
            Self::Freeze => "wait",
        }
    }
}

/// The subtask's sentence.
#[must_use]
pub fn sentence(verb: Verb, substance: &str, vessel: &str, appliance: &str) -> String {
    format!(
        "{} {substance} in {vessel} with the {appliance}",
        verb.word()
    )
}

/// Reads the subtask's sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Treat> {
    let (verb, rest) = subtask.split_once(' ')?;
    let verb = Verb::ALL.into_iter().find(|v| v.word() == verb)?;
    let (rest, appliance) = rest.split_once(" with the ")?;
    let (substance, vessel) = rest.rsplit_once(" in ")?;
    Some(Treat {
        verb,
        substance: substance.to_owned(),
        vessel: vessel.to_owned(),
        appliance: appliance.to_owned(),
    })
}

impl Treat {
    /// What the substance is called now, when the vessel is seen.
    fn now<'a>(&self, view: &'a View) -> Option<&'a str> {
        view.everything()
            .filter(|thing| thing.name == self.vessel)
            .find_map(|thing| vessel::content(thing, &self.substance))
    }

    fn is_done(&self, now: &str) -> bool {
        self.verb != Verb::Boil && now != self.substance
    }
}

impl Skill for Treat {
    fn act(&self, view: &View, progress: &str) -> Action {
        let Some(appliance) = view.find(&self.appliance) else {
            return Action::give_back();
        };
        let inside = appliance.contains(&self.vessel);
        let open = format!("open {}", self.appliance);
        match self.now(view) {
            Some(now) if self.is_done(now) && inside => {
                let name = vessel::referent_of(view, &self.vessel);
                Action::finish(format!("pick up {name}"))
            }
            Some(now) if self.is_done(now) => Action::give_back(),
            Some(_) if inside && appliance.state.as_deref() == Some("off") => {
                Action::go_on(format!("activate {}", self.appliance))
            }
            Some(_) if inside => wait(self.verb.wait(), progress),
            None if inside => Action::give_back(),
            _ if appliance.is_closed() => Action::go_on(open),
            Some(_) => {
                let name = vessel::referent_of(view, &self.vessel);
                Action::go_on(format!("move {name} to {}", self.appliance))
            }
            None => Action::give_back(),
        }
    }

    fn rewrite(&self, view: &View, progress: &str, action: &str) -> String {
        match self.now(view) {
            Some(now) if action.starts_with("wait") && now == self.substance => {
                let times = one_wait_more(progress);
                format!("Waited {times}; the {} still holds {now}.", self.vessel)
            }
            Some(now) if action.starts_with("wait") => {
                format!("The {} holds {now} now.", self.vessel)
            }
            _ => said(view),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kitchen(oven: &str, holding: &str) -> View {
        View::read(&format!(
            "kitchen: cupboard closed; oven {oven} | doors: hallway open | holding: {holding}"
        ))
    }

    #[test]
    fn melts_and_takes_out() {
        let melt = read("melt ice in metal pot with the oven").unwrap();
        let act = |view: &View| melt.act(view, "None").to_string();
        assert_eq!(
            act(&kitchen("off closed", "metal pot [ice]")),
            "open oven; False"
        );
        assert_eq!(
            act(&kitchen("off open []", "metal pot [ice]")),
            "move metal pot to oven; False"
        );
        assert_eq!(
            act(&kitchen("off open [metal pot [ice]]", "nothing")),
            "activate oven; False"
        );
        let waiting = kitchen("on open [metal pot [ice]]", "nothing");
        assert_eq!(act(&waiting), "wait1; False");
        assert_eq!(
            melt.rewrite(&waiting, "None", "wait1"),
            "Waited once; the metal pot still holds ice."
        );
        let melted = kitchen("on open [metal pot [water]]", "nothing");
        assert_eq!(act(&melted), "pick up metal pot; True");
        assert_eq!(
            melt.rewrite(&melted, "None", "wait1"),
            "The metal pot holds water now."
        );
        assert_eq!(
            act(&kitchen("on open []", "metal pot [water]")),
            "look around; True"
        );
    }

    #[test]
    fn boiling_goes_on_when_the_substance_has_melted() {
        let view = View::read(
            "foundry: blast furnace on open [metal pot [water]] | doors: outside open | holding: nothing",
        );
        let boil = read("boil ice in metal pot with the blast furnace").unwrap();
        assert_eq!(boil.act(&view, "None").to_string(), "wait1; False");
        assert!(read("melt ice").is_none());
    }
}
