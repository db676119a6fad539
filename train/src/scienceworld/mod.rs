//! The expert of ScienceWorld: a program behind the same [`Policy`] trait as a network.
//!
//! As in the household worlds each level is a function of its frame and of nothing else. The plan of a task is reactive: the
//! next subtask follows from where things are now and from what was issued before, so the expert can take over from any
//! state and label every frame.
//!
//! | module | holds |
//! |---|---|
//! | [`situation`] | what the high level sees |
//! | [`episodes`] | demonstrations against the simulator |
//! | [`families`] | one plan per task family |
//! | [`skill`] | what the low level does in a subtask, and what the progress says of it |
//! | [`house`] | the rooms and the shortest ways between them |
//! | [`noise`] | the same expert with errors on purpose |
//! | [`variants`] | more frames from recorded ones, with names exchanged |

use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_environments::scienceworld::view::View;
use stride_firmware_config::frame::{NO_PROGRESS, StepFrame};

pub mod episodes;
pub mod families;
pub mod house;
pub mod noise;
pub mod situation;
pub mod skill;
pub mod variants;

use crate::demos::Teacher;
use situation::Situation;
use skill::Action;

/// The frame is not one of ScienceWorld.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpertError {
    /// The task instruction is of no known family.
    #[error(
        "the expert does not know the task `{0}`; it plays the 24 tasks of the paper's protocol"
    )]
    Task(String),
}

/// The expert. See the module's text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expert;

/// What the simulator says when an action could mean several things; a number chooses.
const AMBIGUOUS: &str = "Ambiguous request";

impl Expert {
    /// What the expert says to a frame, by any level.
    ///
    /// # Errors
    /// [`ExpertError`] when the task is unknown. Unreadable subtasks are given back at once.
    pub fn answer(&self, frame: &StepFrame<'_>) -> Result<String, ExpertError> {
        let view = View::read(frame.observation());
        // What the layout writes for an empty progress.
        let or_none = |progress| match progress {
            "" => NO_PROGRESS,
            progress => progress,
        };
        Ok(match *frame {
            StepFrame::High {
                task,
                completed,
                progress,
                ..
            } => families::next(task, &Situation::new(view, completed, progress))
                .ok_or_else(|| ExpertError::Task(task.to_owned()))?,
            StepFrame::Low {
                subtask, progress, ..
            } => act(&view, subtask, or_none(progress)).to_string(),
            StepFrame::Progress {
                subtask,
                progress,
                action,
                ..
            } => skill::read(subtask).map_or_else(
                || skill::said(&view),
                |skill| skill.rewrite(&view, or_none(progress), action),
            ),
        })
    }
}

fn act(view: &View, subtask: &str, progress: &str) -> Action {
    if view.feedback.starts_with(AMBIGUOUS) {
        return Action::go_on("0");
    }
    match skill::read(subtask) {
        Some(skill) => skill.act(view, progress),
        None => Action::give_back(),
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
