//! The task: its words, its goal.

use super::vocabulary::{FurnitureSort, ThingSort};
use crate::alfworld::TaskType;

/// What is to be done in a room.
#[derive(Debug, Clone)]
pub(super) struct Assignment {
    pub(super) task: TaskType,
    pub(super) thing: &'static ThingSort,
    /// Where it is to go; for looking under a lamp, `None`.
    pub(super) target: Option<&'static FurnitureSort>,
    /// The lamp, for looking under it.
    pub(super) lamp: Option<&'static ThingSort>,
    /// Which of the two wordings.
    pub(super) second_wording: bool,
}

impl Assignment {
    /// The instruction, without the full stop.
    pub(super) fn words(&self) -> String {
        let thing = self.thing.name;
        let target = self.target.map_or("", |sort| sort.name);
        let lamp = self.lamp.map_or("", |sort| sort.name);
        match (self.task, self.second_wording) {
            (TaskType::PickAndPlaceSimple, false) => format!("put some {thing} on {target}"),
            (TaskType::PickAndPlaceSimple, true) => format!("put a {thing} in {target}"),
            (TaskType::LookAtObjInLight, false) => format!("look at {thing} under the {lamp}"),
            (TaskType::LookAtObjInLight, true) => format!("examine the {thing} with the {lamp}"),
            (TaskType::PickCleanThenPlaceInRecep, false) => {
                format!("clean some {thing} and put it in {target}")
            }
            (TaskType::PickCleanThenPlaceInRecep, true) => {
                format!("put a clean {thing} in {target}")
            }
            (TaskType::PickHeatThenPlaceInRecep, false) => {
                format!("heat some {thing} and put it in {target}")
            }
            (TaskType::PickHeatThenPlaceInRecep, true) => format!("put a hot {thing} in {target}"),
            (TaskType::PickCoolThenPlaceInRecep, false) => {
                format!("cool some {thing} and put it in {target}")
            }
            (TaskType::PickCoolThenPlaceInRecep, true) => format!("put a cool {thing} in {target}"),
            (TaskType::PickTwoObjAndPlace, false) => format!("put two {thing} in {target}"),
            (TaskType::PickTwoObjAndPlace, true) => {
                format!("find two {thing} and put them in {target}")
            }
        }
    }

    /// The goal in PDDL.
    pub(super) fn goal(&self) -> String {
        let thing = self.thing.name;
        let target = self.target.map_or("", |sort| sort.name);
        let state = match self.task {
            TaskType::LookAtObjInLight => {
                let lamp = self.lamp.map_or("", |sort| sort.name);
                return format!(
                    "(exists (?t - thing ?l - thing ?f - furniture ?s - spot) (and (carried ?t) (of_sort ?t sort-{thing}) \
                     (lit ?l) (of_sort ?l sort-{lamp}) (within ?l ?f) (stands_at ?f ?s) (here ?s)))"
                );
            }
            TaskType::PickTwoObjAndPlace => {
                return format!(
                    "(exists (?t - thing ?u - thing ?f - furniture) (and (within ?t ?f) (within ?u ?f) (not (= ?t ?u)) \
                     (of_sort ?t sort-{thing}) (of_sort ?u sort-{thing}) (of_sort ?f sort-{target})))"
                );
            }
            TaskType::PickAndPlaceSimple => "",
            TaskType::PickCleanThenPlaceInRecep => "(clean ?t) ",
            TaskType::PickHeatThenPlaceInRecep => "(hot ?t) ",
            TaskType::PickCoolThenPlaceInRecep => "(cold ?t) ",
        };
        format!(
            "(exists (?t - thing ?f - furniture) (and {state}(within ?t ?f) (of_sort ?t sort-{thing}) \
             (of_sort ?f sort-{target})))"
        )
    }
}
