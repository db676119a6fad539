//! `stride-eval soak`: the step-level agent for very many steps, and its memory meanwhile.

use std::fmt;
use std::time::Instant;

use serde::Serialize;

use super::child::Worker;
use super::script::Script;
use super::wire::Request;
use crate::error::EvalError;
use crate::memory::{Memory, mebibytes};
use crate::statistics::Spread;
use crate::stop::Stop;
use crate::table::Table;

/// Moments at which the memory is written down, evenly over the steps.
const MARKS: u64 = 100;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Soak {
    /// The policy's file.
    pub policy: String,
    /// The world.
    pub world: String,
    /// Episodes that were played over and over.
    pub games: usize,
    /// Steps played.
    pub steps: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// Median and quantiles of the milliseconds of a step.
    pub millis: Spread,
    /// Steps that ended in another action than the recorded one.
    pub differences: u64,
    /// Memory at evenly spaced moments.
    pub marks: Vec<Mark>,
    /// Growth of the anonymous memory (swapped or not) from the first mark to the last, in bytes.
    pub growth: Option<i64>,
    /// Stopped before the last step.
    pub partial: bool,
}

/// Memory at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mark {
    /// Steps played by then.
    pub step: u64,
    /// The worker's memory.
    pub memory: Memory,
}

/// Who plays what for how long.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The policy's file, for the report.
    pub policy: String,
    /// The world, for the report.
    pub world: String,
    /// The episodes.
    pub scripts: &'a [Script],
    /// Steps.
    pub steps: u64,
}

/// Plays the scripts over and over. `played` is told after each step.
///
/// # Errors
/// When the worker breaks, or the scripts hold no step.
pub fn soak(
    worker: &mut Worker,
    plan: &Plan<'_>,
    stop: &Stop,
    mut played: impl FnMut(),
) -> Result<Soak, EvalError> {
    let started = Instant::now();
    let every = (plan.steps / MARKS).max(1);
    let mut millis = Vec::new();
    let mut marks = Vec::new();
    let (mut steps, mut differences) = (0, 0);
    'all: for script in plan.scripts.iter().cycle() {
        worker.ask(&Request::Begin {
            task: script.task.clone(),
            scene: script.scene.clone(),
        })?;
        let mut observation = &script.observation;
        for step in &script.steps {
            if steps == plan.steps || stop.requested() {
                break 'all;
            }
            let decided = worker.ask(&Request::Decide {
                observation: observation.clone(),
                instead: Some(step.instead()),
            })?;
            let (mut cost, mut memory) = (decided.cost, decided.memory);
            if !step.done {
                let observed = worker.ask(&Request::Observe {
                    observation: step.observation.clone(),
                    invalid: step.invalid,
                })?;
                (cost, memory) = (cost.and(observed.cost), observed.memory);
            }
            observation = &step.observation;
            steps += 1;
            millis.push(cost.nanos as f64 / 1e6);
            differences += u64::from(decided.said != step.said);
            if steps % every == 0 {
                marks.push(Mark {
                    step: steps,
                    memory,
                });
            }
            played();
        }
    }
    let anonymous = |mark: Option<&Mark>| mark.and_then(|mark| mark.memory.anonymous);
    let growth = anonymous(marks.last())
        .zip(anonymous(marks.first()))
        .map(|(last, first)| last.cast_signed() - first.cast_signed());
    Ok(Soak {
        policy: plan.policy.clone(),
        world: plan.world.clone(),
        games: plan.scripts.len(),
        steps,
        seconds: started.elapsed().as_secs_f64(),
        millis: Spread::of(millis).ok_or_else(|| EvalError::Worker {
            problem: "no step was played".into(),
        })?,
        differences,
        marks,
        growth,
        partial: steps < plan.steps,
    })
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} on {}: {} steps over {} recorded episodes in {:.0} s{}",
            self.policy,
            self.world,
            self.steps,
            self.games,
            self.seconds,
            if self.partial { " (PARTIAL)" } else { "" }
        )?;
        writeln!(
            f,
            "ms of a step: p50 {:.2}, p99 {:.2}, max {:.2}; {} actions differed from the recorded ones",
            self.millis.p50, self.millis.p99, self.millis.max, self.differences
        )?;
        let mut table = Table::new(&["step", "resident", "anonymous"]);
        let tenth = (self.marks.len() / 10).max(1);
        for (at, mark) in self.marks.iter().enumerate() {
            if at == 0 || (at + 1) % tenth == 0 {
                table.row([
                    mark.step.to_string(),
                    mebibytes(mark.memory.resident),
                    mebibytes(mark.memory.anonymous),
                ]);
            }
        }
        write!(f, "{table}")?;
        match self.growth {
            Some(bytes) => writeln!(
                f,
                "growth of anonymous memory, first mark to last: {bytes} bytes"
            ),
            None => writeln!(f, "growth: this system does not tell"),
        }
    }
}
