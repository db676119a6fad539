//! In which order places are searched, by frequencies learnt from training games.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use stride_agent::places::{Name, NameList};

/// For every kind of thing the kinds of places where it is searched, most promising first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SearchOrder {
    orders: BTreeMap<String, Vec<String>>,
    /// For things that were never seen, and after the known kinds.
    general: Vec<String>,
}

impl SearchOrder {
    /// An order made by hand, for tests.
    #[must_use]
    pub fn from_pairs(pairs: &[(&str, &[&str])]) -> Self {
        let own = |kinds: &[&str]| kinds.iter().map(|k| (*k).to_owned()).collect();
        Self {
            orders: pairs
                .iter()
                .map(|(thing, kinds)| ((*thing).to_owned(), own(kinds)))
                .collect(),
            general: Vec::new(),
        }
    }

    /// The next place to search: the first of `places` in this order that is not in `checked`; `None` when all are.
    #[must_use]
    pub fn next_place(&self, thing: &str, places: &NameList, checked: &NameList) -> Option<Name> {
        let known = self.orders.get(thing).map_or(&[][..], Vec::as_slice);
        let kinds = known.iter().map(String::as_str);
        let general = self.general.iter().map(String::as_str);
        for kind in kinds.chain(general).chain(places.kinds()) {
            let next = places
                .numbers(kind)
                .iter()
                .find(|&&number| !checked.contains(kind, number));
            if let Some(&number) = next {
                return Some(Name {
                    kind: kind.to_owned(),
                    number,
                });
            }
        }
        None
    }
}

/// Counts where things were found in training games.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Things found in places of a kind.
    found: BTreeMap<(String, String), f64>,
    /// Places of a kind that stood in the games in which the thing was wanted.
    offered: BTreeMap<(String, String), f64>,
    openable: BTreeSet<String>,
}

impl Tally {
    /// Counts one training game, from its scene and its walkthrough.
    pub fn add(&mut self, scene: &NameList, walkthrough: &[String]) {
        let mut at: Option<Name> = None;
        for command in walkthrough {
            let words: Vec<&str> = command.split(' ').collect();
            match words.as_slice() {
                ["go", "to", kind, number] => at = format!("{kind} {number}").parse().ok(),
                ["open", kind, _] => {
                    self.openable.insert((*kind).to_owned());
                }
                ["take", thing, _, "from", kind, _] => self.count(scene, thing, kind),
                ["use", thing, _] => {
                    if let Some(place) = &at {
                        self.count(scene, thing, &place.kind);
                    }
                }
                _ => {}
            }
        }
    }

    fn count(&mut self, scene: &NameList, thing: &str, kind: &str) {
        *self
            .found
            .entry((thing.to_owned(), kind.to_owned()))
            .or_default() += 1.0;
        for offered in scene.kinds() {
            let places = scene.numbers(offered).len() as f64;
            *self
                .offered
                .entry((thing.to_owned(), offered.to_owned()))
                .or_default() += places;
        }
    }

    /// The order by chance of success per action: going costs one, opening one more.
    #[must_use]
    pub fn order(&self) -> SearchOrder {
        let mut by_thing: BTreeMap<&str, Vec<(f64, &str)>> = BTreeMap::new();
        let mut general: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
        for ((thing, kind), offered) in &self.offered {
            let found = self
                .found
                .get(&(thing.clone(), kind.clone()))
                .copied()
                .unwrap_or(0.0);
            let cost = self.cost(kind);
            // Half a success in ten places is the prior: rare kinds of places come neither first nor last.
            let score = (found + 0.05) / (offered + 1.0) / cost;
            by_thing.entry(thing).or_default().push((score, kind));
            let sums = general.entry(kind).or_default();
            *sums = (sums.0 + found, sums.1 + offered);
        }
        let general = general
            .into_iter()
            .map(|(kind, (found, offered))| {
                ((found + 0.05) / (offered + 1.0) / self.cost(kind), kind)
            })
            .collect();
        SearchOrder {
            orders: by_thing
                .into_iter()
                .map(|(thing, scores)| (thing.to_owned(), ranked(scores)))
                .collect(),
            general: ranked(general),
        }
    }

    fn cost(&self, kind: &str) -> f64 {
        if self.openable.contains(kind) {
            2.0
        } else {
            1.0
        }
    }
}

fn ranked(mut scores: Vec<(f64, &str)>) -> Vec<String> {
    scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scores
        .into_iter()
        .map(|(_, kind)| kind.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_and_cheap_places_come_first() {
        let mut tally = Tally::default();
        let scene: NameList = "cabinet 1 to 10, desk 1, fridge 1".parse().unwrap();
        let walk = |text: &str| text.split("; ").map(str::to_owned).collect::<Vec<_>>();
        for _ in 0..5 {
            tally.add(&scene, &walk("go to desk 1; take mug 1 from desk 1"));
            tally.add(
                &scene,
                &walk("go to fridge 1; open fridge 1; take mug 1 from fridge 1"),
            );
            tally.add(&scene, &walk("go to cabinet 4; take mug 1 from cabinet 4"));
        }
        let order = tally.order();
        let mut checked = NameList::default();
        let mut path = Vec::new();
        while let Some(place) = order.next_place("mug", &scene, &checked) {
            checked.insert(&place.kind, place.number);
            path.push(place.to_string());
        }
        assert_eq!(path[..3], ["desk 1", "fridge 1", "cabinet 1"]);
        assert_eq!(path.len(), 12, "every place is searched once");
    }
}
