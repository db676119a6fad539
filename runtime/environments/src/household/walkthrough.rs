//! Commands that win, by somebody who knows where everything is.

use super::generate::Household;
use super::vocabulary::Service;
use crate::alfworld::TaskType;

struct Walker<'a> {
    household: &'a Household,
    spot: usize,
    ajar: Vec<bool>,
    commands: Vec<String>,
}

impl Household {
    /// Commands that win.
    pub(super) fn walkthrough(&self) -> Vec<String> {
        let ajar = self.furniture.iter().map(|piece| piece.ajar).collect();
        let mut walker = Walker {
            household: self,
            spot: 0,
            ajar,
            commands: Vec::new(),
        };
        let goal_things = (0..self.things.len())
            .filter(|index| self.things[*index].sort.name == self.assignment.thing.name);
        match self.assignment.task {
            TaskType::LookAtObjInLight => {
                goal_things.take(1).for_each(|thing| walker.take(thing));
                walker.light();
            }
            TaskType::PickTwoObjAndPlace => {
                goal_things.take(2).for_each(|thing| walker.carry(thing))
            }
            _ => goal_things.take(1).for_each(|thing| walker.carry(thing)),
        }
        walker.commands
    }

    fn furniture_name(&self, index: usize) -> String {
        format!(
            "{} {}",
            self.furniture[index].sort.name, self.furniture[index].number
        )
    }

    fn thing_name(&self, index: usize) -> String {
        format!(
            "{} {}",
            self.things[index].sort.name, self.things[index].number
        )
    }
}

impl Walker<'_> {
    fn go(&mut self, furniture: usize) {
        let spot = self.household.furniture[furniture].spot;
        if spot != self.spot {
            self.spot = spot;
            self.commands.push(format!(
                "go to {}",
                self.household.furniture_name(furniture)
            ));
        }
    }

    fn open(&mut self, furniture: usize) {
        self.go(furniture);
        if self.household.furniture[furniture].sort.hinged && !self.ajar[furniture] {
            self.ajar[furniture] = true;
            self.commands
                .push(format!("open {}", self.household.furniture_name(furniture)));
        }
    }

    fn take(&mut self, thing: usize) {
        let place = self.household.things[thing].place;
        self.open(place);
        let (thing, place) = (
            self.household.thing_name(thing),
            self.household.furniture_name(place),
        );
        self.commands.push(format!("take {thing} from {place}"));
    }

    /// Takes a thing, treats it as the task says, and puts it where it belongs.
    fn carry(&mut self, thing: usize) {
        self.take(thing);
        let (verb, service) = match self.household.assignment.task {
            TaskType::PickCleanThenPlaceInRecep => ("clean", Service::Washes),
            TaskType::PickHeatThenPlaceInRecep => ("heat", Service::Heats),
            TaskType::PickCoolThenPlaceInRecep => ("cool", Service::Chills),
            _ => ("", Service::None),
        };
        let name = self.household.thing_name(thing);
        let furniture = &self.household.furniture;
        if service != Service::None
            && let Some(found) = furniture
                .iter()
                .position(|piece| piece.sort.service == service)
        {
            self.go(found);
            self.commands.push(format!(
                "{verb} {name} with {}",
                self.household.furniture_name(found)
            ));
        }
        let target = self
            .household
            .assignment
            .target
            .map_or("", |sort| sort.name);
        if let Some(found) = furniture.iter().position(|piece| piece.sort.name == target) {
            self.open(found);
            self.commands.push(format!(
                "move {name} to {}",
                self.household.furniture_name(found)
            ));
        }
    }

    fn light(&mut self) {
        let lamp = self.household.assignment.lamp.map_or("", |sort| sort.name);
        if let Some(found) = self
            .household
            .things
            .iter()
            .position(|thing| thing.sort.name == lamp)
        {
            self.open(self.household.things[found].place);
            self.commands
                .push(format!("use {}", self.household.thing_name(found)));
        }
    }
}
