//! Kernels that may crash, tried in a child process: a crash there costs nothing.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use stride_agent::text::chain;
use stride_firmware_config::profile::WEIGHT_LAYOUTS;

use crate::bench::child::Worker;
use crate::bench::script::Script;
use crate::bench::wire::{Request, Setup};
use crate::error::EvalError;

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// What was tried.
    pub feature: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Outcome {
    /// Every action was as with the plain kernels.
    Same {
        /// How many.
        steps: usize,
    },
    /// An action was another one.
    Different {
        /// In which step of the first episode, from 1.
        step: usize,
        /// What it was.
        said: String,
    },
    /// The child did not survive, or could not compute.
    Failed {
        /// What it said, or how it ended.
        how: String,
    },
    /// The engine does not offer it in this build.
    NotOffered {
        /// Why.
        why: String,
    },
}

impl Probe {
    /// Whether an engine must leave the feature alone.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Different { .. } | Outcome::Failed { .. }
        )
    }
}

/// Plays a recorded episode in a child that lets llama.cpp choose its own weight layouts.
#[must_use]
pub fn layouts(program: &Path, setup: &Setup, script: &Script) -> Probe {
    let mut setup = setup.clone();
    setup.options.repack_weights = true;
    // What was found before must not decide what is found now.
    if let Some(profile) = &mut setup.options.profile {
        profile.measured = None;
    }
    let outcome = match Worker::start(program, &setup) {
        Err(EvalError::Worker { problem }) if problem.contains("option repack_weights") => {
            Outcome::NotOffered { why: problem }
        }
        Err(error) => Outcome::Failed { how: chain(&error) },
        Ok(mut worker) => {
            play(&mut worker, script).unwrap_or_else(|error| Outcome::Failed { how: chain(&error) })
        }
    };
    Probe {
        feature: WEIGHT_LAYOUTS,
        outcome,
    }
}

fn play(worker: &mut Worker, script: &Script) -> Result<Outcome, EvalError> {
    worker.ask(&Request::Begin {
        task: script.task.clone(),
        scene: script.scene.clone(),
    })?;
    let mut observation = &script.observation;
    for (number, step) in (1..).zip(&script.steps) {
        let decided = worker.ask(&Request::Decide {
            observation: observation.clone(),
            instead: Some(step.instead()),
        })?;
        if decided.said != step.said {
            return Ok(Outcome::Different {
                step: number,
                said: decided.said,
            });
        }
        if !step.done {
            worker.ask(&Request::Observe {
                observation: step.observation.clone(),
                invalid: step.invalid,
            })?;
        }
        observation = &step.observation;
    }
    Ok(Outcome::Same {
        steps: script.steps.len(),
    })
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "probe {}: ", self.feature)?;
        match &self.outcome {
            Outcome::Same { steps } => write!(f, "works; the same {steps} actions"),
            Outcome::Different { step, said } => {
                write!(
                    f,
                    "bad: step {step} said `{said}`, unlike the plain kernels"
                )
            }
            Outcome::Failed { how } => write!(f, "bad: {how}"),
            Outcome::NotOffered { why } => write!(f, "not offered: {why}"),
        }
    }
}
