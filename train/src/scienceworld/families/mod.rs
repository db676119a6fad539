//! Plans, one module per family of tasks. Each reads its instruction and names the next subtask from the situation.

use super::situation::Situation;

pub mod find;
pub mod grow;
pub mod life_stages;
pub mod lifespan;

/// The next subtask; `None` when the instruction is of no known family.
#[must_use]
pub fn next(task: &str, situation: &Situation<'_>) -> Option<String> {
    // One line a family; the first that knows the instruction plans.
    None.or_else(|| find::read(task).map(|goal| goal.next(situation)))
        .or_else(|| grow::read(task).map(|goal| goal.next(situation)))
        .or_else(|| life_stages::read(task).map(|goal| goal.next(situation)))
        .or_else(|| lifespan::read(task).map(|goal| goal.next(situation)))
}
