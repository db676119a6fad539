//! A room and its task, from a seed.

use super::assignment::Assignment;
use super::dice::Dice;
use super::rooms::{ROOMS, Room};
use super::vocabulary::{FurnitureSort, Service, THINGS, ThingSort, furniture_sort};
use crate::alfworld::TaskType;

/// A piece of furniture.
#[derive(Debug, Clone)]
pub(super) struct Furniture {
    pub(super) sort: &'static FurnitureSort,
    pub(super) number: usize,
    pub(super) spot: usize,
    pub(super) ajar: bool,
}

/// A thing.
#[derive(Debug, Clone)]
pub(super) struct Thing {
    pub(super) sort: &'static ThingSort,
    pub(super) number: usize,
    /// Index of the furniture it lies in or on.
    pub(super) place: usize,
}

/// What a caller wants of a generated game.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// A task of this type; any when `None`.
    pub task: Option<TaskType>,
}

/// A generated room with its task.
#[derive(Debug, Clone)]
pub struct Household {
    pub(super) seed: u64,
    pub(super) room: &'static Room,
    pub(super) furniture: Vec<Furniture>,
    pub(super) things: Vec<Thing>,
    pub(super) assignment: Assignment,
}

/// Most things in one piece of furniture at first.
const CROWDED: usize = 6;

impl Household {
    /// The game of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_wish(seed, Wish::default())
    }

    /// The game of a seed that a caller wants something of.
    #[must_use]
    pub fn with_wish(seed: u64, wish: Wish) -> Self {
        let mut dice = Dice::new(seed);
        let task = match wish.task {
            Some(task) => task,
            None => TaskType::ALL[dice.below(TaskType::ALL.len())],
        };
        // A draw fails when the room lacks something for the task; every task fits some room, so this ends.
        loop {
            let room = &ROOMS[dice.below(ROOMS.len())];
            if let Some(household) = draw(seed, room, task, &mut dice) {
                return household;
            }
        }
    }

    /// The type of the task.
    #[must_use]
    pub fn task_type(&self) -> TaskType {
        self.assignment.task
    }

    /// The instruction, without the full stop.
    #[must_use]
    pub fn task(&self) -> String {
        self.assignment.words()
    }

    /// The kind of room.
    #[must_use]
    pub fn room(&self) -> &'static str {
        self.room.name
    }
}

fn draw(seed: u64, room: &'static Room, task: TaskType, dice: &mut Dice) -> Option<Household> {
    let furniture = furnish(room, dice);
    let assignment = assign(room, task, &furniture, dice)?;
    let mut draft = Draft {
        furniture,
        things: Vec::new(),
    };
    draft.place_goal_things(&assignment, dice)?;
    if let Some(lamp) = assignment.lamp {
        draft.place(lamp, None, dice)?;
    }
    draft.fill(room, &assignment, dice);
    let Draft { furniture, things } = draft;
    Some(Household {
        seed,
        room,
        furniture,
        things,
        assignment,
    })
}

fn furnish(room: &Room, dice: &mut Dice) -> Vec<Furniture> {
    let mut furniture: Vec<Furniture> = Vec::new();
    for (name, least, most) in room.furniture {
        let Some(sort) = furniture_sort(name) else {
            continue;
        };
        for number in 1..=dice.between(*least, *most) {
            // Some neighbours of a kind are reached from one spot.
            let neighbour = furniture
                .last()
                .filter(|last| last.number + 1 == number && last.sort.name == sort.name);
            let shared = neighbour.map(|last| last.spot).filter(|_| dice.chance(15));
            let spot =
                shared.unwrap_or(furniture.iter().map(|piece| piece.spot).max().unwrap_or(0) + 1);
            let ajar = sort.hinged && dice.chance(8);
            furniture.push(Furniture {
                sort,
                number,
                spot,
                ajar,
            });
        }
    }
    furniture
}

/// Chooses what is to be done; `None` when the room does not allow it.
fn assign(
    room: &Room,
    task: TaskType,
    furniture: &[Furniture],
    dice: &mut Dice,
) -> Option<Assignment> {
    let has = |service| furniture.iter().any(|piece| piece.sort.service == service);
    let (service, treatable): (_, fn(&ThingSort) -> bool) = match task {
        TaskType::PickCleanThenPlaceInRecep => (Service::Washes, ThingSort::washable),
        TaskType::PickHeatThenPlaceInRecep => (Service::Heats, ThingSort::heatable),
        TaskType::PickCoolThenPlaceInRecep => (Service::Chills, ThingSort::chillable),
        _ => (Service::None, |_| true),
    };
    if service != Service::None && !has(service) {
        return None;
    }
    let common = |sort: &&ThingSort| room.things.iter().any(|(class, _)| *class == sort.class);
    let candidates: Vec<&ThingSort> = THINGS
        .iter()
        .filter(|sort| treatable(sort))
        .filter(common)
        .collect();
    let thing = *dice.one_of(&candidates)?;
    let second_wording = dice.chance(50);
    if task == TaskType::LookAtObjInLight {
        let lamps: Vec<&ThingSort> = THINGS.iter().filter(|sort| sort.is_lamp()).collect();
        let lamp = *dice.one_of(&lamps)?;
        return Some(Assignment {
            task,
            thing,
            target: None,
            lamp: Some(lamp),
            second_wording,
        });
    }
    let mut targets: Vec<&FurnitureSort> = Vec::new();
    for piece in furniture {
        let serves = service != Service::None && piece.sort.service == service;
        if piece.sort.takes(thing)
            && !serves
            && !targets.iter().any(|known| known.name == piece.sort.name)
        {
            targets.push(piece.sort);
        }
    }
    let target = *dice.one_of(&targets)?;
    Some(Assignment {
        task,
        thing,
        target: Some(target),
        lamp: None,
        second_wording,
    })
}

struct Draft {
    furniture: Vec<Furniture>,
    things: Vec<Thing>,
}

impl Draft {
    /// Places the things that the task is about, where they do not already fulfil it.
    fn place_goal_things(&mut self, assignment: &Assignment, dice: &mut Dice) -> Option<()> {
        let least = if assignment.task == TaskType::PickTwoObjAndPlace {
            2
        } else {
            1
        };
        let untreated = matches!(
            assignment.task,
            TaskType::PickAndPlaceSimple | TaskType::PickTwoObjAndPlace
        );
        let avoid = assignment.target.filter(|_| untreated);
        for _ in 0..dice.between(least, least + 2) {
            self.place(assignment.thing, avoid, dice)?;
        }
        Some(())
    }

    /// Places other things, so that the one sought is not the only one.
    fn fill(&mut self, room: &Room, assignment: &Assignment, dice: &mut Dice) {
        let weights: Vec<usize> = room.things.iter().map(|(_, weight)| *weight).collect();
        let wanted = dice.between(6, 8 + 2 * self.furniture.len().min(14));
        for _ in 0..wanted {
            let Some((class, _)) = dice
                .weighted(&weights)
                .and_then(|index| room.things.get(index))
            else {
                return;
            };
            let others: Vec<&ThingSort> = THINGS
                .iter()
                .filter(|sort| sort.class == *class && sort.name != assignment.thing.name)
                .collect();
            if let Some(sort) = dice.one_of(&others) {
                // A full room is no reason to give up.
                let _ = self.place(sort, None, dice);
            }
        }
        if assignment.lamp.is_none() && dice.chance(30) {
            let lamps: Vec<&ThingSort> = THINGS.iter().filter(|sort| sort.is_lamp()).collect();
            if let Some(lamp) = dice.one_of(&lamps) {
                let _ = self.place(lamp, None, dice);
            }
        }
    }

    /// Puts one more thing of a sort somewhere it fits, rather on open surfaces than behind doors.
    fn place(
        &mut self,
        sort: &'static ThingSort,
        avoid: Option<&FurnitureSort>,
        dice: &mut Dice,
    ) -> Option<()> {
        let weight = |(index, piece): (usize, &Furniture)| {
            let avoided = avoid.is_some_and(|avoid| avoid.name == piece.sort.name);
            let full = self
                .things
                .iter()
                .filter(|thing| thing.place == index)
                .count()
                >= CROWDED;
            match (
                avoided || full || !piece.sort.takes(sort),
                piece.sort.hinged,
            ) {
                (true, _) => 0,
                (false, true) => 2,
                (false, false) => 3,
            }
        };
        let weights: Vec<usize> = self.furniture.iter().enumerate().map(weight).collect();
        let place = dice.weighted(&weights)?;
        let number = self
            .things
            .iter()
            .filter(|thing| thing.sort.name == sort.name)
            .count()
            + 1;
        self.things.push(Thing {
            sort,
            number,
            place,
        });
        // Which of its kind lies where must not follow from the order of placing.
        let other = dice.below(number);
        let same: Vec<usize> = (0..self.things.len())
            .filter(|index| self.things[*index].sort.name == sort.name)
            .collect();
        if let (Some(last), Some(other)) = (same.last(), same.get(other)) {
            let place = self.things[*other].place;
            self.things[*other].place = self.things[*last].place;
            self.things[*last].place = place;
        }
        Some(())
    }
}
