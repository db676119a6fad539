//! The game file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

use super::generate::Household;
use super::vocabulary::Service;
use crate::alfworld::{Game, GameError, GameFile, Naming};

const DOMAIN: &str = include_str!("domain.pddl");
const GRAMMAR: &str = include_str!("grammar.txt");

impl Household {
    /// The game in ALFWorld's file format.
    #[must_use]
    pub fn to_game_file(&self) -> GameFile<'static> {
        GameFile {
            pddl_domain: Cow::Borrowed(DOMAIN),
            grammar: Cow::Owned(GRAMMAR.replace("TASK.", &format!("{}.", self.task()))),
            pddl_problem: Cow::Owned(self.problem()),
            solvable: Some(true),
            walkthrough: Some(self.walkthrough()),
            naming: Naming::Readable,
        }
    }

    /// The game, ready to be played.
    ///
    /// # Errors
    /// Never for a game of this generator, unless the engine has a fault.
    pub fn to_game(&self) -> Result<Game, GameError> {
        Game::new(&self.to_game_file())
    }

    /// The problem in PDDL.
    fn problem(&self) -> String {
        let mut text = String::with_capacity(8 << 10);
        // Writing to a string does not fail.
        let _ = self.write_problem(&mut text);
        text
    }

    fn write_problem(&self, out: &mut String) -> std::fmt::Result {
        writeln!(
            out,
            "; {}, seed {}\n(define (problem seed_{})",
            self.room.name, self.seed, self.seed
        )?;
        writeln!(out, "(:domain stride_household)\n(:objects")?;
        let spots = self
            .furniture
            .iter()
            .map(|piece| piece.spot)
            .max()
            .unwrap_or(0);
        (0..=spots).try_for_each(|spot| writeln!(out, "  spot-{spot} - spot"))?;
        self.sorts()
            .iter()
            .try_for_each(|sort| writeln!(out, "  sort-{sort} - sort"))?;
        for piece in &self.furniture {
            writeln!(out, "  {}_{} - furniture", piece.sort.name, piece.number)?;
        }
        for thing in &self.things {
            writeln!(out, "  {}_{} - thing", thing.sort.name, thing.number)?;
        }
        writeln!(out, ")\n(:init\n  (here spot-0)\n  (empty_handed)")?;
        self.write_furniture(out)?;
        self.write_things(out)?;
        writeln!(out, ")\n(:goal {}))", self.assignment.goal())
    }

    fn sorts(&self) -> BTreeSet<&'static str> {
        let furniture = self.furniture.iter().map(|piece| piece.sort.name);
        furniture
            .chain(self.things.iter().map(|thing| thing.sort.name))
            .collect()
    }

    fn write_furniture(&self, out: &mut String) -> std::fmt::Result {
        for piece in &self.furniture {
            let sort = piece.sort;
            let name = format!("{}_{}", sort.name, piece.number);
            writeln!(
                out,
                "  (stands_at {name} spot-{}) (of_sort {name} sort-{})",
                piece.spot, sort.name
            )?;
            if sort.hinged {
                writeln!(out, "  (hinged {name})")?;
            }
            if piece.ajar {
                writeln!(out, "  (ajar {name})")?;
            }
            match sort.service {
                Service::None => {}
                Service::Washes => writeln!(out, "  (washes {name})")?,
                Service::Heats => writeln!(out, "  (heats {name})")?,
                Service::Chills => writeln!(out, "  (chills {name})")?,
            }
        }
        Ok(())
    }

    fn write_things(&self, out: &mut String) -> std::fmt::Result {
        let mut fits = BTreeSet::new();
        for thing in &self.things {
            let sort = thing.sort;
            let place = &self.furniture[thing.place];
            let name = format!("{}_{}", sort.name, thing.number);
            writeln!(
                out,
                "  (within {name} {}_{}) (of_sort {name} sort-{})",
                place.sort.name, place.number, sort.name
            )?;
            let abilities = [
                ("portable", !sort.is_lamp()),
                ("lamp", sort.is_lamp()),
                ("washable", sort.washable()),
                ("heatable", sort.heatable()),
                ("chillable", sort.chillable()),
            ];
            for (ability, _) in abilities.iter().filter(|(_, has)| *has) {
                writeln!(out, "  ({ability} {name})")?;
            }
            let taking = self.furniture.iter().filter(|piece| piece.sort.takes(sort));
            fits.extend(taking.map(|piece| (sort.name, piece.sort.name)));
        }
        fits.iter().try_for_each(|(thing, furniture)| {
            writeln!(out, "  (fits sort-{thing} sort-{furniture})")
        })
    }
}
