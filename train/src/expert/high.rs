//! The high-level decision: which subtask comes next.

use stride_agent::places::Name;
use stride_firmware_config::state::Completed;

use super::ExpertError;
use super::progress::{self, Note};
use super::subtask::{self, Subtask};
use super::task::{self, Goal, Task};

/// The next subtask, from the task, the issued subtasks and the final progress of the last one.
///
/// # Errors
/// [`ExpertError::Task`] when the instruction is of no known family.
pub fn next_subtask(
    instruction: &str,
    completed: &Completed,
    progress: &str,
) -> Result<Subtask, ExpertError> {
    let task = task::read(instruction).ok_or_else(|| ExpertError::Task(instruction.to_owned()))?;
    Ok(match progress::read(progress).note {
        Note::Holding(object) if object.kind == task.object => after_taking(&task, object),
        Note::Treated(_, object) => put(&task, object),
        Note::Placed(object) => again(&task, Some(object)),
        Note::HandsEmpty => again(&task, last_put(completed)),
        Note::Holding(_) | Note::TurnedOn(_) => again(&task, None),
        // The last subtask came to nothing: it is issued again.
        _ => completed
            .iter()
            .last()
            .and_then(subtask::read)
            .unwrap_or_else(|| again(&task, None)),
    })
}

fn after_taking(task: &Task, object: Name) -> Subtask {
    if let Some(treatment) = task.treatment {
        return Subtask::Treat { treatment, object };
    }
    put(task, object)
}

fn put(task: &Task, object: Name) -> Subtask {
    match &task.goal {
        Goal::Place(place) | Goal::PlaceTwo(place) => Subtask::Put {
            object,
            place: place.clone(),
        },
        Goal::Light(lamp) => Subtask::Use { kind: lamp.clone() },
    }
}

/// Searches the object, or a second one when one of two was placed.
fn again(task: &Task, placed: Option<Name>) -> Subtask {
    Subtask::Take {
        kind: task.object.clone(),
        except: placed.filter(|_| matches!(task.goal, Goal::PlaceTwo(_))),
    }
}

fn last_put(completed: &Completed) -> Option<Name> {
    completed
        .iter()
        .filter_map(subtask::read)
        .filter_map(|s| match s {
            Subtask::Put { object, .. } => Some(object),
            _ => None,
        })
        .last()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(task: &str, issued: &[&str], progress: &str) -> String {
        let mut completed = Completed::new();
        for subtask in issued {
            completed.push(subtask, 8);
        }
        next_subtask(task, &completed, progress)
            .unwrap()
            .to_string()
    }

    #[test]
    fn plans_a_heat_task() {
        let task = "put a hot mug in cabinet";
        assert_eq!(next(task, &[], "None"), "find and take mug");
        let issued = ["find and take mug"];
        assert_eq!(
            next(task, &issued, "At desk 1, holding mug 2."),
            "heat mug 2 with microwave"
        );
        assert_eq!(
            next(task, &issued, "At microwave 1, heated mug 2."),
            "put mug 2 in cabinet"
        );
        assert_eq!(next(task, &issued, "At desk 1, no mug."), issued[0]);
    }

    #[test]
    fn the_second_object_is_another_one() {
        let issued = ["find and take cd", "put cd 2 in drawer"];
        assert_eq!(
            next("put two cd in drawer", &issued, "At drawer 1, placed cd 2."),
            "find and take another cd except cd 2"
        );
    }
}
