//! Golden steps: what a model must say before it may serve.
//!
//! `NAME.golden.json` beside `NAME.gguf` holds an episode: a task, a scene, and for each observation what the model answered when
//! the file was made (`stride-agentd golden`). A model that answers otherwise on this device, under this profile, is not the model
//! that somebody tested: it is refused.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use stride_agent::agent::{Limits, StepAgent};
use stride_agent::event::Silent;
use stride_firmware_config::encoding;

use crate::files;
use crate::worker::protocol::{StepInput, StepOutcome};
use crate::worker::step::{self, StepError};

/// Bytes of a file at most.
const FILE: u64 = 1 << 20;

/// An episode that is known by heart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// The task.
    pub task: String,
    /// The static part of the observations.
    #[serde(default)]
    pub scene: String,
    /// The steps in order.
    pub steps: Vec<GoldenStep>,
}

/// One step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenStep {
    /// What the world says.
    pub observation: String,
    /// What the model makes of it.
    pub answer: GoldenAnswer,
}

/// What a model makes of an observation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenAnswer {
    /// The subtask.
    pub subtask: String,
    /// The progress.
    pub progress: String,
    /// The action; none when the limit of actions ended the episode.
    pub action: Option<String>,
}

impl Golden {
    /// Reads the golden steps of a model, if it has any.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn beside(model: &Path) -> io::Result<Option<Self>> {
        let path = model.with_extension("golden.json");
        match files::read_bytes(&path, FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => Ok(Some(serde_json::from_slice(&read?)?)),
        }
    }

    /// The state before the first step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn first_state(&self, limits: &Limits) -> Result<Vec<u8>, StepError> {
        let agent = StepAgent::begin(&self.task, &self.scene, limits.clone(), &mut Silent);
        Ok(step::encode(agent.state())?)
    }

    /// One step on its way.
    #[must_use]
    pub fn input(step: &GoldenStep, state: Vec<u8>) -> StepInput {
        StepInput {
            agent: 0,
            state,
            observation: step.observation.clone(),
            invalid: false,
            actions: None,
            max_actions: None,
        }
    }
}

impl GoldenAnswer {
    /// What a step came to.
    ///
    /// # Errors
    /// When its record is damaged.
    pub fn of(outcome: &StepOutcome) -> Result<Self, StepError> {
        let state = encoding::decode(&outcome.state)?;
        Ok(Self {
            subtask: state.subtask.as_str().into(),
            progress: state.progress.as_str().into(),
            action: outcome.action.clone(),
        })
    }
}
