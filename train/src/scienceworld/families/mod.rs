//! Plans, one module per family of tasks. Each reads its instruction and names the next subtask from the situation.

use super::situation::Situation;

pub mod chemistry;
pub mod conductivity;
pub mod find;
pub mod grow;
pub mod life_stages;
pub mod lifespan;
pub mod melting_point;
pub mod paint;
pub mod power;
pub mod state_of_matter;
pub mod thermometer;

/// The next subtask; `None` when the instruction is of no known family.
#[must_use]
pub fn next(task: &str, situation: &Situation<'_>) -> Option<String> {
    // One line a family; the first that knows the instruction plans.
    None.or_else(|| find::read(task).map(|goal| goal.next(situation)))
        .or_else(|| melting_point::read(task).map(|goal| goal.next(situation)))
        .or_else(|| state_of_matter::read(task).map(|goal| goal.next(situation)))
        .or_else(|| thermometer::read(task).map(|goal| goal.next(situation)))
        .or_else(|| conductivity::read(task).map(|goal| goal.next(situation)))
        .or_else(|| power::read(task).map(|goal| goal.next(situation)))
        .or_else(|| paint::read(task).map(|goal| goal.next(situation)))
        .or_else(|| chemistry::read(task).map(|goal| goal.next(situation)))
        .or_else(|| grow::read(task).map(|goal| goal.next(situation)))
        .or_else(|| life_stages::read(task).map(|goal| goal.next(situation)))
        .or_else(|| lifespan::read(task).map(|goal| goal.next(situation)))
}

#[cfg(test)]
mod testing {
    use stride_environments::scienceworld::view::View;
    use stride_firmware_config::capacity;
    use stride_firmware_config::state::Completed;

    use super::Situation;

    /// The subtask that follows on these, with the progress that the last one ended with.
    pub(super) fn next(task: &str, observation: &str, issued: &[&str], progress: &str) -> String {
        let mut completed = Completed::new();
        for subtask in issued {
            completed.push(subtask, capacity::COMPLETED);
        }
        let situation = Situation::new(View::read(observation), &completed, progress);
        super::next(task, &situation).unwrap()
    }
}
