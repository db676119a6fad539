//! `boil X`, `melt X`, `freeze X` and `change the state of matter of X`.
//!
//! One recipe for all substances, with appliances that no training variation breaks (stoves and sinks do break): water is scooped from
//! the fountain, a liquid stays in its vessel, a solid goes into the metal pot. The blast furnace boils everything, the oven
//! melts without burning, the ultra low temperature freezer freezes within the limit of steps. What must change its state
//! twice (a liquid that is to be melted, a solid that is to be frozen) is brought into the other state first.

use stride_environments::scienceworld::view::{Thing, View};

use crate::scienceworld::house::{ART_STUDIO, FOUNDRY, GREENHOUSE, KITCHEN, OUTSIDE, WORKSHOP};
use crate::scienceworld::situation::Situation;
use crate::scienceworld::skill::treat::{self, Verb};
use crate::scienceworld::skill::{dunk, focus, go, put, search, take, vessel};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    verb: Verb,
    substance: String,
}

/// The vessel for what has none.
const POT: &str = "metal pot";

/// The rooms in which a substance is looked for, the likely ones first: food is in the kitchen, metals are in the workshop.
pub const SEARCHED: [&str; 9] = [
    KITCHEN,
    WORKSHOP,
    "living room",
    "bedroom",
    ART_STUDIO,
    "bathroom",
    GREENHOUSE,
    FOUNDRY,
    OUTSIDE,
];

/// Where it is kept.
const CUPBOARD: &str = "cupboard";

/// Reads the instruction.
#[must_use]
pub fn read(task: &str) -> Option<Goal> {
    let (head, _) = task.split_once(". ")?;
    // Any change of state will do: the furnace melts or boils.
    let verbs = [
        ("boil ", Verb::Boil),
        ("melt ", Verb::Melt),
        ("freeze ", Verb::Freeze),
        ("change the state of matter of ", Verb::Boil),
    ];
    verbs.into_iter().find_map(|(words, verb)| {
        Some(Goal {
            verb,
            substance: head.strip_prefix(words)?.to_owned(),
        })
    })
}

/// The appliance for a treatment, and its room.
const fn appliance(verb: Verb) -> (&'static str, &'static str) {
    match verb {
        Verb::Melt => ("oven", KITCHEN),
        Verb::Boil => ("blast furnace", FOUNDRY),
        Verb::Freeze => ("ultra low temperature freezer", WORKSHOP),
    }
}

impl Goal {
    /// What is to be treated.
    #[must_use]
    pub fn substance(&self) -> &str {
        &self.substance
    }

    /// The next subtask.
    #[must_use]
    pub fn next(&self, s: &Situation<'_>) -> String {
        if let Some(vessel) = vessel::holding(&s.view, &self.substance) {
            return self.treat(s, vessel);
        }
        if self.substance == "water" {
            return water(s);
        }
        self.fetch(s)
    }

    /// The substance is in its vessel.
    fn treat(&self, s: &Situation<'_>, vessel: &Thing) -> String {
        let name = &vessel.name;
        let now = vessel::content(vessel, &self.substance).unwrap_or(&self.substance);
        let verb = match self.verb {
            Verb::Melt if vessel::is_liquid(now) => Verb::Freeze,
            Verb::Freeze if !vessel::is_liquid(now) => Verb::Melt,
            verb => verb,
        };
        let (appliance, room) = appliance(verb);
        let sentence = treat::sentence(verb, now, name, appliance);
        if s.view.find(appliance).is_some_and(|a| a.contains(name)) {
            return sentence;
        }
        if !s.view.holds(name) {
            return take::sentence(&vessel::referent(&s.view, vessel));
        }
        if !is_focused(s) {
            return focus::sentence(&format!("{now} in {name}"));
        }
        if s.is_in(room) {
            sentence
        } else {
            go::sentence(room)
        }
    }

    /// The substance lies somewhere, or is not seen yet.
    fn fetch(&self, s: &Situation<'_>) -> String {
        let solid = s
            .view
            .holding
            .iter()
            .find(|thing| vessel::is_form(&thing.name, &self.substance));
        match solid {
            Some(solid) if s.view.holds(POT) => put::sentence(&solid.name, POT),
            Some(_) => pot(s),
            None if is_seen(&s.view, &self.substance) => search::sentence(&self.substance),
            None => self.look_elsewhere(s),
        }
    }

    /// It is not in sight: it is searched for here, and when that was in vain in the other rooms. The verdict is the progress's, so
    /// that nobody has to look at every thing in the room again.
    fn look_elsewhere(&self, s: &Situation<'_>) -> String {
        let room = s.view.room.as_str();
        let was_gone_to = |room: &str| s.issued(&go::sentence(room));
        let here = search::sentence(&self.substance);
        let was_in_vain = s.last() == Some(&here)
            && s.progress
                .starts_with(&search::nowhere(&self.substance, ""));
        if (s.is_in(KITCHEN) || was_gone_to(room)) && !was_in_vain {
            return here;
        }
        // What was gone to last and not reached is gone to again.
        let missed = |other: &str| other != room && s.last() == Some(&go::sentence(other));
        // On from the room that was gone to last: the record is short and forgets the first ones.
        let gone_to = |text: &str| SEARCHED.iter().position(|room| text == go::sentence(room));
        let from = s.completed.iter().filter_map(gone_to).last();
        let next = (0..SEARCHED.len())
            .map(|step| SEARCHED[(from.unwrap_or_default() + step) % SEARCHED.len()])
            .find(|other| missed(other) || (*other != room && !was_gone_to(other)));
        next.map_or(here, go::sentence)
    }
}

/// A treatment is only issued after the focus.
fn is_focused(s: &Situation<'_>) -> bool {
    s.has_focused_on("") || Verb::ALL.into_iter().any(|verb| s.issued(verb.word()))
}

fn is_seen(view: &View, substance: &str) -> bool {
    view.everything()
        .any(|thing| vessel::is_form(&thing.name, substance))
}

/// Water is scooped from the fountain.
fn water(s: &Situation<'_>) -> String {
    if !s.view.holds(POT) {
        return pot(s);
    }
    if s.is_in(OUTSIDE) {
        return dunk::sentence(POT, "fountain");
    }
    go::sentence(OUTSIDE)
}

/// Gets the metal pot.
fn pot(s: &Situation<'_>) -> String {
    if s.view.find(POT).is_some() {
        return take::sentence(&vessel::referent_of(&s.view, POT));
    }
    if !s.is_in(KITCHEN) {
        return go::sentence(KITCHEN);
    }
    match s.view.find(CUPBOARD).and_then(|cupboard| cupboard.open) {
        Some(false) => take::sentence_from(POT, CUPBOARD),
        _ => search::sentence(POT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scienceworld::families::testing;

    fn next(task: &str, observation: &str, issued: &[&str], progress: &str) -> String {
        let task = format!("{task}. First, focus on the substance.");
        testing::next(&task, observation, issued, progress)
    }

    const FOCUSED: &str = "You focus on the water.";

    #[test]
    fn water_is_melted_by_way_of_ice() {
        let at = |room: &str, things: &str, holding: &str| {
            format!("{room}: {things} | doors: hallway open | holding: {holding}")
        };
        let melt =
            |observation: &str, issued: &[&str]| next("melt water", observation, issued, FOCUSED);
        let focus = ["focus on water in metal pot"];
        assert_eq!(
            melt(&at("hallway", "picture", "orange"), &[]),
            "go to the kitchen"
        );
        assert_eq!(
            melt(&at("kitchen", "cupboard closed", "orange"), &[]),
            "pick up metal pot from the cupboard"
        );
        assert_eq!(
            melt(&at("kitchen", "oven off", "metal pot []"), &[]),
            "go to the outside"
        );
        assert_eq!(
            melt(&at("outside", "fountain [water]", "metal pot []"), &[]),
            "dunk metal pot into fountain"
        );
        let filled = at("outside", "fountain [water]", "metal pot [water]");
        assert_eq!(melt(&filled, &[]), focus[0]);
        assert_eq!(melt(&filled, &focus), "go to the workshop");
        let freezer = "freeze water in metal pot with the ultra low temperature freezer";
        assert_eq!(
            melt(
                &at(
                    "workshop",
                    "ultra low temperature freezer closed",
                    "metal pot [water]"
                ),
                &focus
            ),
            freezer
        );
        let ice = at(
            "workshop",
            "ultra low temperature freezer open []",
            "metal pot [ice]",
        );
        assert_eq!(melt(&ice, &[focus[0], freezer]), "go to the kitchen");
        assert_eq!(
            melt(&at("kitchen", "oven off closed", "metal pot [ice]"), &focus),
            "melt ice in metal pot with the oven"
        );
    }

    #[test]
    fn every_room_is_searched_although_the_record_forgets_the_first_ones() {
        let mut issued: Vec<String> = Vec::new();
        let mut visited = Vec::new();
        let mut room = KITCHEN.to_owned();
        while visited.len() < SEARCHED.len() {
            let observation = format!("{room}: chair | doors: hallway open | holding: orange");
            // What a record of 8 remembers.
            let record: Vec<&str> = issued.iter().map(String::as_str).collect();
            let record = &record[record.len().saturating_sub(8)..];
            let progress = if record.last() == Some(&"find and take lead") {
                "The lead is nowhere yet."
            } else {
                "None"
            };
            let said = next("boil lead", &observation, record, progress);
            match said.strip_prefix("go to the ") {
                Some(other) => room = other.to_owned(),
                None => visited.push(room.clone()),
            }
            issued.push(said);
            assert!(issued.len() < 40, "{issued:?}");
        }
        assert_eq!(visited, SEARCHED);
    }

    #[test]
    fn what_is_not_in_the_kitchen_is_looked_for_elsewhere() {
        let boil = |observation: &str, issued: &[&str]| {
            next("boil lead", observation, issued, "The lead is nowhere yet.")
        };
        let kitchen = |fridge: &str| {
            format!("kitchen: fridge {fridge} | doors: hallway open | holding: orange")
        };
        let workshop =
            |things: &str| format!("workshop: {things} | doors: hallway open | holding: orange");
        let (search, to_kitchen, to_workshop) = (
            "find and take lead",
            "go to the kitchen",
            "go to the workshop",
        );
        assert_eq!(boil(&kitchen("closed"), &[to_kitchen]), search);
        let in_vain = [to_kitchen, search];
        assert_eq!(boil(&kitchen("open []"), &in_vain), to_workshop);
        let there = [to_kitchen, search, to_workshop];
        assert_eq!(boil(&workshop("lead; battery"), &there), search);
        assert_eq!(boil(&workshop("battery"), &there), search);
        let again = [to_kitchen, search, to_workshop, search];
        assert_eq!(boil(&workshop("battery"), &again), "go to the living room");
        assert_eq!(boil(&workshop("box closed"), &[]), to_kitchen, "the start");
        let hallway = "hallway: drawing | doors: kitchen open | holding: orange";
        assert_eq!(boil(hallway, &there), to_workshop, "not reached");
    }

    #[test]
    fn a_solid_goes_into_the_pot_and_a_liquid_keeps_its_cup() {
        let kitchen = |things: &str, holding: &str| {
            format!("kitchen: {things} | doors: hallway open | holding: {holding}")
        };
        assert_eq!(
            next(
                "freeze chocolate",
                &kitchen("cupboard closed; fridge closed", "orange"),
                &[],
                "None"
            ),
            "find and take chocolate"
        );
        assert_eq!(
            next(
                "freeze chocolate",
                &kitchen("cupboard closed", "chocolate"),
                &[],
                "None"
            ),
            "pick up metal pot from the cupboard"
        );
        assert_eq!(
            next(
                "freeze chocolate",
                &kitchen("cupboard open []", "chocolate, metal pot []"),
                &[],
                "None"
            ),
            "move chocolate to metal pot"
        );
        let failed = ["focus on chocolate in metal pot"];
        assert_eq!(
            next(
                "freeze chocolate",
                &kitchen("oven off closed", "metal pot [chocolate]"),
                &failed,
                "No known action."
            ),
            failed[0],
            "a focus that failed is repeated"
        );
        assert_eq!(
            next(
                "boil apple juice",
                &kitchen("fridge open []", "jug [apple juice]"),
                &[],
                "None"
            ),
            "focus on apple juice in jug"
        );
        assert_eq!(
            next(
                "boil apple juice",
                &kitchen("fridge open []", "jug [apple juice]"),
                &["focus on apple juice in jug", "go to the hallway"],
                "None"
            ),
            "go to the foundry"
        );
        assert!(read("boil").is_none() && read("sing a song. Twice.").is_none());
    }
}
