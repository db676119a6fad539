//! The contenders' turns: one step each, in an order that changes from step to step.

use serde::Serialize;

use super::child::Worker;
use super::energy::Counters;
use super::script::{Script, ScriptStep};
use super::wire::{Request, Spent};
use crate::error::EvalError;
use crate::memory::Memory;
use crate::stop::Stop;

/// What one contender paid for one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sample {
    /// The step's number in its episode, from 1.
    pub step: u32,
    /// Its cost.
    #[serde(flatten)]
    pub cost: Spent,
    /// The contender's memory afterwards.
    pub memory: Memory,
    /// Tokens of its history.
    pub history_tokens: usize,
}

impl Sample {
    /// Milliseconds of agent and policy.
    #[must_use]
    pub fn millis(&self) -> f64 {
        self.cost.nanos as f64 / 1e6
    }

    /// Tokens that were decoded: new ones of the prompts, and the utterances.
    #[must_use]
    pub fn decoded_tokens(&self) -> f64 {
        let cost = &self.cost;
        (cost.prompt_tokens - cost.cached_tokens + cost.generated_tokens) as f64
    }

    /// Milliseconds of processor time, or of wall time where the system does not tell.
    #[must_use]
    pub fn cpu_millis(&self) -> f64 {
        match self.cost.cpu_nanos {
            0 => self.millis(),
            nanos => nanos as f64 / 1e6,
        }
    }
}

/// What was measured of one contender.
#[derive(Debug)]
pub struct Lane {
    /// The process.
    pub worker: Worker,
    /// Its steps, in order.
    pub samples: Vec<Sample>,
    /// Steps in which it would have done what the script did.
    pub same: usize,
    /// The first step in which it would not.
    pub first_difference: Option<Difference>,
    /// Joules spent during its turns.
    pub joules: f64,
}

/// A step in which a contender would have done something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The game.
    pub game: String,
    /// The step, from 1.
    pub step: u32,
    /// What the policy said when the script was recorded.
    pub recorded: String,
    /// What the contender said.
    pub said: String,
}

impl Lane {
    /// A lane without steps.
    #[must_use]
    pub fn new(worker: Worker) -> Self {
        Self {
            worker,
            samples: Vec::new(),
            same: 0,
            first_difference: None,
            joules: 0.0,
        }
    }

    fn step(
        &mut self,
        game: &str,
        number: u32,
        observation: &str,
        step: &ScriptStep,
    ) -> Result<(), EvalError> {
        let decided = self.worker.ask(&Request::Decide {
            observation: observation.to_owned(),
            instead: Some(step.instead()),
        })?;
        let mut last = decided.clone();
        let mut cost = decided.cost;
        if !step.done {
            last = self.worker.ask(&Request::Observe {
                observation: step.observation.clone(),
                invalid: step.invalid,
            })?;
            cost = cost.and(last.cost);
        }
        if decided.said == step.said {
            self.same += 1;
        } else if self.first_difference.is_none() {
            self.first_difference = Some(Difference {
                game: game.to_owned(),
                step: number,
                recorded: step.said.clone(),
                said: decided.said,
            });
        }
        self.samples.push(Sample {
            step: number,
            cost,
            memory: last.memory,
            history_tokens: last.history_tokens,
        });
        Ok(())
    }
}

/// Takes all lanes through the scripts, `repeat` times; says whether it came to the end. A stop is obeyed between two episodes.
///
/// # Errors
/// When a worker breaks.
pub fn run(
    lanes: &mut [Lane],
    scripts: &[Script],
    repeat: u32,
    energy: Option<&Counters>,
    stop: &Stop,
    mut played: impl FnMut(),
) -> Result<bool, EvalError> {
    let mut turn = 0_usize;
    for _ in 0..repeat {
        for script in scripts {
            if stop.requested() {
                return Ok(false);
            }
            for lane in &mut *lanes {
                lane.worker.ask(&Request::Begin {
                    task: script.task.clone(),
                    scene: script.scene.clone(),
                })?;
            }
            let mut observation = &script.observation;
            for (number, step) in (1_u32..).zip(&script.steps) {
                turn += 1;
                for place in 0..lanes.len() {
                    let at = (place + turn) % lanes.len();
                    let lane = &mut lanes[at];
                    let before = energy.map(Counters::read);
                    lane.step(&script.game, number, observation, step)?;
                    if let (Some(energy), Some(before)) = (energy, before) {
                        lane.joules += energy.joules(&before, &energy.read());
                    }
                }
                observation = &step.observation;
            }
            played();
        }
    }
    Ok(true)
}
