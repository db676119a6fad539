//! Augmented step-level transitions (method section 6) as JSON Lines.
//!
//! The expert annotators, the evaluation and the daemon's log all write this record, and the trainer reads nothing else.

use serde::{Deserialize, Serialize};
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::level::PolicyLevel;
use stride_firmware_config::state::Completed;

/// A frame that owns its text: the `s` and `s'` of a stored transition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "lowercase")]
pub enum FrameText {
    /// Input of the high-level policy.
    High {
        /// Static part of the observation.
        scene: String,
        /// Current observation.
        observation: String,
        /// Task instruction.
        task: String,
        /// Issued subtasks.
        completed: Box<Completed>,
        /// Final progress of the last subtask.
        progress: String,
    },
    /// Input of the low-level policy.
    Low {
        /// Static part of the observation.
        scene: String,
        /// Current observation.
        observation: String,
        /// Current subtask.
        subtask: String,
        /// Local progress.
        progress: String,
    },
    /// Input of the progress policy.
    Progress {
        /// Static part of the observation.
        scene: String,
        /// Resulting observation.
        observation: String,
        /// Current subtask.
        subtask: String,
        /// Previous local progress.
        progress: String,
        /// The action, without its flag.
        action: String,
    },
}

impl FrameText {
    /// The frame as the layout renders it.
    #[must_use]
    pub fn as_frame(&self) -> StepFrame<'_> {
        match self {
            Self::High {
                scene,
                observation,
                task,
                completed,
                progress,
            } => StepFrame::High {
                scene,
                observation,
                task,
                completed,
                progress,
            },
            Self::Low {
                scene,
                observation,
                subtask,
                progress,
            } => StepFrame::Low {
                scene,
                observation,
                subtask,
                progress,
            },
            Self::Progress {
                scene,
                observation,
                subtask,
                progress,
                action,
            } => StepFrame::Progress {
                scene,
                observation,
                subtask,
                progress,
                action,
            },
        }
    }

    /// The level this frame asks.
    #[must_use]
    pub fn level(&self) -> PolicyLevel {
        self.as_frame().level()
    }

    /// The same frame with every text but the scene edited.
    #[must_use]
    pub fn edited(&self, edit: &mut dyn FnMut(&str) -> String) -> Self {
        let mut frame = self.clone();
        let texts: Vec<&mut String> = match &mut frame {
            Self::High {
                observation,
                task,
                completed,
                progress,
                ..
            } => {
                **completed = completed.edited(&mut *edit);
                vec![observation, task, progress]
            }
            Self::Low {
                observation,
                subtask,
                progress,
                ..
            } => vec![observation, subtask, progress],
            Self::Progress {
                observation,
                subtask,
                progress,
                action,
                ..
            } => vec![observation, subtask, progress, action],
        };
        for text in texts {
            *text = edit(text);
        }
        frame
    }
}

impl From<&StepFrame<'_>> for FrameText {
    fn from(frame: &StepFrame<'_>) -> Self {
        match *frame {
            StepFrame::High {
                scene,
                observation,
                task,
                completed,
                progress,
            } => Self::High {
                scene: scene.into(),
                observation: observation.into(),
                task: task.into(),
                completed: Box::new(completed.clone()),
                progress: progress.into(),
            },
            StepFrame::Low {
                scene,
                observation,
                subtask,
                progress,
            } => Self::Low {
                scene: scene.into(),
                observation: observation.into(),
                subtask: subtask.into(),
                progress: progress.into(),
            },
            StepFrame::Progress {
                scene,
                observation,
                subtask,
                progress,
                action,
            } => Self::Progress {
                scene: scene.into(),
                observation: observation.into(),
                subtask: subtask.into(),
                progress: progress.into(),
                action: action.into(),
            },
        }
    }
}

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndKind {
    /// The task is complete.
    Success,
    /// The world ended the episode without success.
    Failure,
    /// The limit of actions was reached; the state is not terminal.
    Truncated,
}

/// Who chose the utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// An expert program, acting on its own path.
    Expert,
    /// An expert program, labelling a state that another policy reached (DAgger).
    Relabelled,
    /// A learnt policy.
    Policy,
}

/// One augmented step-level transition of one level: (s, a, r, s', done).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// World and game, for example `alfworld:train/…/game.tw-pddl` or `household:17`.
    pub game: String,
    /// Subtask index `k` in the episode, from 0.
    pub subtask_index: u32,
    /// Step index `t` in the episode, from 0.
    pub step_index: u32,
    /// State `s`.
    pub state: FrameText,
    /// Utterance `a`, normalised.
    pub utterance: String,
    /// Reward `r`.
    pub reward: f32,
    /// Environment steps that the transition spans (for γ^n of the high level).
    pub span: u32,
    /// The decision process of this level ended here; `s'` is not bootstrapped from.
    pub done: bool,
    /// Next state `s'` of the same level; `None` where there is none (`done`) or it is unknown (truncation).
    pub next: Option<FrameText>,
    /// Who chose the utterance.
    pub source: Source,
    /// How the episode ended.
    pub end: EndKind,
}

impl Transition {
    /// An utterance that a frame is labelled with, to be cloned and no more: what came of it, and next, is not known.
    #[must_use]
    pub const fn for_cloning(state: FrameText, utterance: String) -> Self {
        Self {
            game: String::new(),
            subtask_index: 0,
            step_index: 0,
            state,
            utterance,
            reward: 0.0,
            span: 1,
            done: false,
            next: None,
            source: Source::Relabelled,
            end: EndKind::Truncated,
        }
    }
}
