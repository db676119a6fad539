//! Training of the critics of all levels, and where it stands.

use std::path::Path;

use candle_core::{Device, Tensor};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde::{Deserialize, Serialize};

use super::config::{CriticConfig, WIDEST};
use super::critic::{Batch, CriticShape, Leaves, Losses, tensor};
use super::features::Features;
use super::report::Line;
use super::rows::Rows;
use crate::bc::state::{parse_any, vector, write};
use crate::data::DataFile;
use crate::error::{Result, TrainError};
use crate::optimizer::OptimizerState;
use crate::parallel;

/// The critics in the run's folder.
pub const CRITICS: &str = "critics.safetensors";

/// The parts of a level's state in the file.
const PARTS: [&str; 4] = ["weights", "first", "second", "target"];
const LEVELS: [&str; 3] = ["high", "low", "progress"];

/// What the file says beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CriticRecord {
    /// Optimizer steps done.
    pub step: u64,
    /// Seed.
    pub seed: u64,
    /// Settings.
    pub config: CriticConfig,
    /// Data files.
    pub data: Vec<DataFile>,
    /// Fingerprint of the features they are trained on; `None` before these were read.
    #[serde(default)]
    pub features: Option<String>,
    /// Metrics so far.
    pub lines: Vec<Line>,
}

/// The critics of all levels.
#[derive(Debug)]
pub struct Critics {
    /// Where they stand.
    pub record: CriticRecord,
    shape: CriticShape,
    /// Weights, moments and (as the average) target copies, by level.
    states: Vec<OptimizerState>,
}

impl Critics {
    /// The sizes of critics on features of this width.
    #[must_use]
    pub fn shape(config: &CriticConfig, width: usize) -> CriticShape {
        CriticShape {
            inputs: width,
            hidden: if config.hidden == 0 {
                width
            } else {
                config.hidden
            },
            actions: if config.twin { 2 } else { 1 },
        }
    }

    /// Untrained critics.
    #[must_use]
    pub fn new(config: &CriticConfig, width: usize, seed: u64, data: Vec<DataFile>) -> Self {
        let shape = Self::shape(config, width);
        let optimizer = config.optimizer();
        Self {
            record: CriticRecord {
                step: 0,
                seed,
                config: config.clone(),
                data,
                features: None,
                lines: Vec::new(),
            },
            shape,
            states: (0..3)
                .map(|level| OptimizerState::new(shape.initialize(seed, level), &optimizer))
                .collect(),
        }
    }

    /// Reads critics that [`Self::save`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read, or its critics are of other sizes.
    pub fn load(path: &Path, width: usize) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
        let (record, tensors): (CriticRecord, _) = parse_any(path, &bytes)?;
        if record.config.hidden > WIDEST {
            return Err(TrainError::checkpoint(
                path,
                format!(
                    "its critics are {} wide, more than {WIDEST}",
                    record.config.hidden
                ),
            ));
        }
        let shape = Self::shape(&record.config, width);
        let mut states = Vec::new();
        for level in LEVELS {
            let [weights, first, second, average] =
                PARTS.map(|part| vector(path, &tensors, &format!("{level}.{part}")));
            let state = OptimizerState {
                weights: weights?,
                first: first?,
                second: second?,
                average: average?,
            };
            let total = shape.total();
            let parts = [&state.weights, &state.first, &state.second, &state.average];
            if parts.iter().any(|part| part.len() != total) {
                return Err(TrainError::checkpoint(
                    path,
                    format!(
                        "its critics do not have {total} weights a level, as the policy's features need"
                    ),
                ));
            }
            states.push(state);
        }
        Ok(Self {
            record,
            shape,
            states,
        })
    }

    /// Writes everything needed to go on.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let names: Vec<String> = LEVELS
            .iter()
            .flat_map(|level| PARTS.map(|part| format!("{level}.{part}")))
            .collect();
        let parts = self
            .states
            .iter()
            .flat_map(|s| [&s.weights, &s.first, &s.second, &s.average]);
        let parts: Vec<(&str, &[f32])> = names
            .iter()
            .zip(parts)
            .map(|(name, part)| (name.as_str(), part.as_slice()))
            .collect();
        write(path, &self.record, &parts)
    }

    /// Does steps up to step `until`, the levels side by side, and returns the mean losses; `None` for a level that nothing
    /// can be learnt of. A step depends on its number alone, not on where a run was stopped.
    ///
    /// # Errors
    /// When a loss is no number any more.
    pub fn train(
        &mut self,
        rows: &Rows,
        features: &Features,
        until: u64,
        threads: usize,
    ) -> Result<[Option<Losses>; 3]> {
        let (from, seed, config, shape) = (
            self.record.step,
            self.record.seed,
            &self.record.config,
            self.shape,
        );
        let levels: Vec<_> = self
            .states
            .iter_mut()
            .enumerate()
            .map(|(level, state)| (rows.learnable(level), std::sync::Mutex::new(state)))
            .collect();
        let results = parallel::map(
            threads,
            &levels,
            |level, (learnable, state)| -> Result<Option<Losses>> {
                if learnable.is_empty() || from >= until {
                    return Ok(None);
                }
                let mut state = state
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                let mut sum = Losses::default();
                for step in from..until {
                    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0x51A7_0000_0000_0000);
                    random.set_stream(step * 3 + level as u64);
                    let picked: Vec<usize> = (0..config.batch)
                        .map(|_| learnable[random.random_range(0..learnable.len())])
                        .collect();
                    let batch = batch(rows, features, &picked)?;
                    let losses = one_step(&shape, &mut state, config, step, &batch)?;
                    sum.value += losses.value;
                    sum.action += losses.action;
                }
                let count = (until - from) as f64;
                Ok(Some(Losses {
                    value: sum.value / count,
                    action: sum.action / count,
                }))
            },
        );
        let mut means = [None; 3];
        for (mean, result) in means.iter_mut().zip(results) {
            *mean = result?;
        }
        self.record.step = until.max(from);
        Ok(means)
    }

    /// V(s) and the target's Q(s, a) of some rows of one level.
    ///
    /// # Errors
    /// When candle fails.
    pub fn judge(
        &self,
        level: usize,
        rows: &Rows,
        features: &Features,
        picked: &[usize],
    ) -> Result<Vec<(f32, f32)>> {
        let state = &self.states[level];
        let online = Leaves::new(&self.shape, &state.weights)?;
        let target = Leaves::new(&self.shape, &state.average)?;
        let mut judged = Vec::with_capacity(picked.len());
        for part in picked.chunks(1024) {
            let (mut states, mut actions) = (Vec::new(), Vec::new());
            for row in part {
                features.state(rows.rows[*row].state, &mut states);
                features.action(*row, &mut actions);
            }
            let value = self
                .shape
                .value(&online, &tensor(states, features.width())?)?;
            let action = self
                .shape
                .action(&target, &tensor(actions, features.width())?)?;
            judged.extend(
                value
                    .to_vec1::<f32>()?
                    .into_iter()
                    .zip(action.to_vec1::<f32>()?),
            );
        }
        Ok(judged)
    }

    /// What Q should be of rows of one level that can be learnt from: r + discount · V(s').
    ///
    /// # Errors
    /// When candle fails.
    pub fn targets(
        &self,
        level: usize,
        rows: &Rows,
        features: &Features,
        picked: &[usize],
    ) -> Result<Vec<f32>> {
        let online = Leaves::new(&self.shape, &self.states[level].weights)?;
        let mut found = Vec::with_capacity(picked.len());
        for part in picked.chunks(1024) {
            let batch = batch(rows, features, part)?;
            let next = self.shape.value(&online, &batch.next)?;
            found.extend((batch.reward + (batch.discount * next)?)?.to_vec1::<f32>()?);
        }
        Ok(found)
    }
}

/// Rows as tensors. All of them have a target.
fn batch(rows: &Rows, features: &Features, picked: &[usize]) -> Result<Batch> {
    let width = features.width();
    let (mut state, mut action, mut next) = (Vec::new(), Vec::new(), Vec::new());
    let (mut reward, mut discount) = (Vec::new(), Vec::new());
    for index in picked {
        let row = &rows.rows[*index];
        features.state(row.state, &mut state);
        features.action(*index, &mut action);
        let target = row.target;
        match target.and_then(|target| target.next) {
            Some(place) => features.state(place, &mut next),
            None => next.extend(std::iter::repeat_n(0.0, width)),
        }
        reward.push(target.map_or(0.0, |target| target.reward));
        discount.push(target.map_or(0.0, |target| {
            if target.next.is_some() {
                target.discount
            } else {
                0.0
            }
        }));
    }
    Ok(Batch {
        state: tensor(state, width)?,
        action: tensor(action, width)?,
        next: tensor(next, width)?,
        reward: Tensor::new(reward, &Device::Cpu)?,
        discount: Tensor::new(discount, &Device::Cpu)?,
    })
}

/// One step of one level; the target copies follow after it.
pub(super) fn one_step(
    shape: &CriticShape,
    state: &mut OptimizerState,
    config: &CriticConfig,
    step: u64,
    batch: &Batch,
) -> Result<Losses> {
    let online = Leaves::new(shape, &state.weights)?;
    let target = Leaves::new(shape, &state.average)?;
    let (loss, losses) = shape.loss(&online, &target, batch, config.expectile)?;
    let sum = losses.value + losses.action;
    if !sum.is_finite() {
        return Err(TrainError::Diverged { step, loss: sum });
    }
    let gradient: Vec<f32> = online.gradient(&loss.backward()?)?;
    let everything = 0..gradient.len();
    state.step(
        &config.optimizer(),
        step,
        config.lr,
        &gradient,
        std::slice::from_ref(&everything),
    );
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings that reach the fixed point of small problems.
    fn config(expectile: f64) -> CriticConfig {
        CriticConfig {
            lr: 2e-3,
            weight_decay: 0.0,
            expectile,
            polyak: 0.05,
            twin: false,
            ..CriticConfig::default()
        }
    }

    const SHAPE: CriticShape = CriticShape {
        inputs: 3,
        hidden: 16,
        actions: 1,
    };

    /// Trains on one batch and returns V of the states and Q of the actions.
    fn settle(batch: &Batch, config: &CriticConfig, steps: u64) -> (Vec<f32>, Vec<f32>) {
        let mut state = OptimizerState::new(SHAPE.initialize(1, 1), &config.optimizer());
        for step in 0..steps {
            one_step(&SHAPE, &mut state, config, step, batch).unwrap();
        }
        let leaves = Leaves::new(&SHAPE, &state.weights).unwrap();
        let value = SHAPE.value(&leaves, &batch.state).unwrap();
        let action = SHAPE.action(&leaves, &batch.action).unwrap();
        (value.to_vec1().unwrap(), action.to_vec1().unwrap())
    }

    fn rows(vectors: &[[f32; 3]]) -> Tensor {
        tensor(vectors.concat(), 3).unwrap()
    }

    fn batch(
        state: &[[f32; 3]],
        action: &[[f32; 3]],
        next: &[[f32; 3]],
        reward: &[f32],
        discount: &[f32],
    ) -> Batch {
        Batch {
            state: rows(state),
            action: rows(action),
            next: rows(next),
            reward: Tensor::new(reward, &Device::Cpu).unwrap(),
            discount: Tensor::new(discount, &Device::Cpu).unwrap(),
        }
    }

    const S: [f32; 3] = [1.0, 0.0, 0.5];
    const A: [f32; 3] = [0.0, 1.0, 0.0];
    const B: [f32; 3] = [0.0, 0.0, 1.0];
    const T: [f32; 3] = [-1.0, 0.5, 0.0];

    #[test]
    fn v_is_the_upper_expectile_of_equally_frequent_zeros_and_ones() {
        for expectile in [0.9, 0.5] {
            let data = batch(&[S, S], &[A, B], &[T, T], &[0.0, 1.0], &[0.0, 0.0]);
            let (value, action) = settle(&data, &config(expectile), 3000);
            assert!((f64::from(value[0]) - expectile).abs() < 0.02, "{value:?}");
            assert!(
                action[0].abs() < 0.02 && (action[1] - 1.0).abs() < 0.02,
                "{action:?}"
            );
        }
    }

    #[test]
    fn where_the_reward_is_certain_the_advantage_vanishes() {
        let data = batch(&[S, T], &[A, B], &[T, T], &[0.6, -1.0], &[0.0, 0.0]);
        let (value, action) = settle(&data, &config(0.8), 3000);
        for (i, reward) in [0.6, -1.0].into_iter().enumerate() {
            assert!((action[i] - reward).abs() < 0.02, "{action:?}");
            assert!((action[i] - value[i]).abs() < 0.02, "{value:?} {action:?}");
        }
    }

    /// S –A→ T with reward 0, then T –B→ end with reward 1; and S –B→ end with reward 0.2. What is cut off (a truncated
    /// episode) has the same target as what goes on: its value is that of the state it was cut off in.
    #[test]
    fn values_flow_back_through_what_goes_on_and_stop_where_it_ends() {
        let data = batch(
            &[S, T, S],
            &[A, B, [0.3, 0.3, 0.3]],
            &[T, S, T],
            &[0.0, 1.0, 0.2],
            &[0.9, 0.0, 0.0],
        );
        let (value, action) = settle(&data, &config(0.99), 4000);
        assert!((action[0] - 0.9).abs() < 0.03, "{action:?}");
        assert!((action[1] - 1.0).abs() < 0.03, "{action:?}");
        assert!((action[2] - 0.2).abs() < 0.03, "{action:?}");
        // V(S) is nearly the better of the two.
        assert!(value[0] > 0.85 && value[0] < 0.95, "{value:?}");
    }
}
