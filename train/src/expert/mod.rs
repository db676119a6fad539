//! The expert of the household worlds: a program behind the same [`Policy`] trait as a network.
//!
//! Each level is a function of its frame and of nothing else, so the expert sees exactly what an agent sees, can take over
//! from any state that any policy reached, and can label every frame (DAgger) with an answer that the frame determines.
//!
//! | module | holds |
//! |---|---|
//! | [`observation`] | what an observation says |
//! | [`task`] | the six task families, read from the instruction |
//! | [`subtask`] | the subtask sentences of the high level |
//! | [`progress`] | local progress: its text form and its rewriting (method section 8, modes A and E) |
//! | [`search`] | in which order places are searched, by frequencies learnt from training games |
//! | [`high`], [`low`] | the decisions |
//! | [`noise`] | a behaviour policy that errs on purpose, to reach states off the expert's path |

use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_firmware_config::frame::StepFrame;

pub mod high;
pub mod low;
pub mod noise;
pub mod observation;
pub mod progress;
pub mod search;
pub mod subtask;
pub mod task;

use crate::demos::Teacher;
use search::SearchOrder;

/// The expert. See the module's text.
#[derive(Debug, Clone)]
pub struct Expert {
    order: SearchOrder,
}

/// The frame is not one of a household world.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpertError {
    /// The task instruction is of none of the six families.
    #[error("the expert does not know the task `{0}`; it plays ALFWorld's six families only")]
    Task(String),
}

impl Expert {
    /// An expert that searches in the given order.
    #[must_use]
    pub fn new(order: SearchOrder) -> Self {
        Self { order }
    }

    /// What the expert says to a frame, by any level.
    ///
    /// # Errors
    /// [`ExpertError`] when the task is unknown. Unreadable subtasks and progress are answered by starting over.
    pub fn answer(&self, frame: &StepFrame<'_>) -> Result<String, ExpertError> {
        Ok(match *frame {
            StepFrame::High {
                task,
                completed,
                progress,
                ..
            } => high::next_subtask(task, completed, progress)?.to_string(),
            StepFrame::Low {
                scene,
                observation,
                subtask,
                progress,
            } => low::next_action(&self.order, scene, observation, subtask, progress).to_string(),
            StepFrame::Progress {
                scene,
                observation,
                subtask,
                progress,
                action,
            } => progress::rewrite(scene, observation, subtask, progress, action).to_string(),
        })
    }
}

impl Teacher for Expert {
    fn label(&self, frame: &StepFrame<'_>) -> Result<String, PolicyError> {
        self.answer(frame).map_err(PolicyError::new)
    }
}

impl Policy for Expert {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        self.answer(frame)
            .map(Utterance::free)
            .map_err(PolicyError::new)
    }
}
