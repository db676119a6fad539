//! AdamW over one flat vector, with global gradient clipping, and the learning-rate schedule.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::kernels::simd::{self, vectorized};
use crate::parallel;

/// Weights that one thread updates at once: what is read and written of them stays in its cache from one pass to the next.
const STRETCH: usize = 1 << 14;

/// Settings of the optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimizerConfig {
    /// Peak learning rate. Default 3e-3.
    pub lr: f64,
    /// Steps of linear warm-up from zero. Default 200.
    pub warmup_steps: u64,
    /// What the cosine decays to, as a share of `lr`. Default 0.1.
    pub final_lr_share: f64,
    /// Decay of the first moment. Default 0.9.
    pub beta1: f64,
    /// Decay of the second moment. Default 0.95.
    pub beta2: f64,
    /// Added to the root of the second moment. Default 1e-8.
    pub eps: f64,
    /// Decoupled weight decay of matrices; norms are not decayed. Default 0.05.
    pub weight_decay: f64,
    /// The gradient is scaled down to this norm; 0 switches clipping off. Default 1.
    pub clip_norm: f64,
    /// Decay of the average of weights that is evaluated and exported; 0 switches the average off. Default 0.998.
    /// Early steps use less, so that the first weights are soon forgotten.
    pub ema_decay: f64,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            lr: 3e-3,
            warmup_steps: 200,
            final_lr_share: 0.1,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.05,
            clip_norm: 1.0,
            ema_decay: 0.998,
        }
    }
}

impl OptimizerConfig {
    /// Learning rate of a step (from 0) of `steps`: linear warm-up, then half a cosine.
    #[must_use]
    pub fn learning_rate(&self, step: u64, steps: u64) -> f64 {
        if step < self.warmup_steps {
            return self.lr * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let span = steps.saturating_sub(self.warmup_steps).max(1);
        let done = ((step - self.warmup_steps) as f64 / span as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
        self.lr * (self.final_lr_share + (1.0 - self.final_lr_share) * cosine)
    }

    /// Decay of the average at a step (from 0).
    #[must_use]
    pub fn ema_at(&self, step: u64) -> f64 {
        self.ema_decay.min((step + 1) as f64 / (step + 10) as f64)
    }
}

/// Weights with what the optimizer remembers of them. All vectors have one length.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizerState {
    /// The weights.
    pub weights: Vec<f32>,
    /// First moments.
    pub first: Vec<f32>,
    /// Second moments.
    pub second: Vec<f32>,
    /// Average of the weights; empty when it is switched off.
    pub average: Vec<f32>,
}

impl OptimizerState {
    /// The state before the first step.
    #[must_use]
    pub fn new(weights: Vec<f32>, config: &OptimizerConfig) -> Self {
        let zeros = vec![0.0; weights.len()];
        Self {
            first: zeros.clone(),
            second: zeros,
            average: if config.ema_decay > 0.0 {
                weights.clone()
            } else {
                Vec::new()
            },
            weights,
        }
    }

    /// The weights to evaluate and export: the average, or the last ones when it is switched off.
    #[must_use]
    pub fn best_guess(&self) -> &[f32] {
        if self.average.is_empty() {
            &self.weights
        } else {
            &self.average
        }
    }

    /// One step (from 0) with learning rate `lr`. `decayed` lists the parts with weight decay. The gradient is clipped;
    /// its norm before that is returned.
    pub fn step(
        &mut self,
        config: &OptimizerConfig,
        step: u64,
        lr: f64,
        gradient: &[f32],
        decayed: &[Range<usize>],
    ) -> f64 {
        self.step_on(1, config, step, lr, &[gradient], decayed)
    }

    /// The same on several threads, with a gradient in parts that lie one behind the other. The result does not depend on
    /// the threads.
    ///
    /// # Panics
    /// When the parts together have another length than the weights.
    pub fn step_on(
        &mut self,
        threads: usize,
        config: &OptimizerConfig,
        step: u64,
        lr: f64,
        gradient: &[&[f32]],
        decayed: &[Range<usize>],
    ) -> f64 {
        let norm = squared_norm(threads, gradient).sqrt();
        let scale = if config.clip_norm > 0.0 && norm > config.clip_norm {
            config.clip_norm / norm
        } else {
            1.0
        };
        let count = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let factors = Factors {
            scale: scale as f32,
            decay: (1.0 - lr * config.weight_decay) as f32,
            beta1: config.beta1 as f32,
            beta2: config.beta2 as f32,
            // Both bias corrections folded into the step size and eps, as in the paper's efficient form.
            lr: (lr * (1.0 - config.beta2.powi(count)).sqrt() / (1.0 - config.beta1.powi(count)))
                as f32,
            eps: (config.eps * (1.0 - config.beta2.powi(count)).sqrt()) as f32,
            keep: config.ema_at(step) as f32,
        };
        let stretches: Vec<_> = self
            .stretches(gradient)
            .into_iter()
            .map(Mutex::new)
            .collect();
        parallel::map(threads, &stretches, |_, stretch| {
            stretch
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .step(&factors, decayed);
        });
        norm
    }

    /// All vectors cut into short stretches, each with its gradient.
    fn stretches<'a>(&'a mut self, gradient: &[&'a [f32]]) -> Vec<Stretch<'a>> {
        let total: usize = gradient.iter().map(|part| part.len()).sum();
        assert_eq!(total, self.weights.len(), "a gradient for every weight");
        let mut weights = self.weights.as_mut_slice();
        let mut first = self.first.as_mut_slice();
        let mut second = self.second.as_mut_slice();
        let mut average = self.average.as_mut_slice();
        let mut at = 0;
        let mut stretches = Vec::with_capacity(total / STRETCH + gradient.len());
        for gradient in gradient.iter().flat_map(|part| part.chunks(STRETCH)) {
            let len = gradient.len();
            let averaged = len.min(average.len());
            stretches.push(Stretch {
                at,
                weights: take(&mut weights, len),
                first: take(&mut first, len),
                second: take(&mut second, len),
                average: take(&mut average, averaged),
                gradient,
            });
            at += len;
        }
        stretches
    }
}

/// Cuts the first `len` elements off.
fn take<'a>(slice: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (taken, rest) = std::mem::take(slice).split_at_mut(len);
    *slice = rest;
    taken
}

/// Neighbouring weights with all that belongs to them; `average` is empty when there is none.
struct Stretch<'a> {
    /// The place of the first among all weights.
    at: usize,
    weights: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    average: &'a mut [f32],
    gradient: &'a [f32],
}

impl Stretch<'_> {
    fn step(&mut self, factors: &Factors, decayed: &[Range<usize>]) {
        let end = self.at + self.weights.len();
        for range in decayed {
            let (from, to) = (range.start.max(self.at), range.end.min(end));
            if from < to {
                simd_scale(
                    &mut self.weights[from - self.at..to - self.at],
                    factors.decay,
                );
            }
        }
        adam(
            self.weights,
            self.first,
            self.second,
            self.gradient,
            factors,
        );
        average(self.average, self.weights, factors.keep);
    }
}

/// Σ gᵢ², summed in f64 over short stretches, always in the same order.
fn squared_norm(threads: usize, gradient: &[&[f32]]) -> f64 {
    let stretches: Vec<&[f32]> = gradient
        .iter()
        .flat_map(|part| part.chunks(STRETCH))
        .collect();
    let sums = parallel::map(threads, &stretches, |_, stretch| sum_of_squares(stretch));
    sums.iter().sum()
}

/// What every weight's update shares.
struct Factors {
    scale: f32,
    decay: f32,
    beta1: f32,
    beta2: f32,
    lr: f32,
    eps: f32,
    keep: f32,
}

vectorized! {
    fn sum_of_squares(values: &[f32]) -> f64 {
        values.chunks(4096).map(|part| f64::from(simd::dot(part, part))).sum()
    }

    fn simd_scale(values: &mut [f32], factor: f32) {
        simd::scale(values, factor);
    }

    fn average(average: &mut [f32], weights: &[f32], keep: f32) {
        for (a, w) in average.iter_mut().zip(weights) {
            *a += (1.0 - keep) * (w - *a);
        }
    }

    fn adam(
        weights: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
        factors: &Factors,
    ) {
        let moments = first.iter_mut().zip(second);
        for (((w, m), v), g) in weights.iter_mut().zip(moments).map(|(w, (m, v))| ((w, m), v)).zip(gradient) {
            let g = g * factors.scale;
            *m = factors.beta1 * *m + (1.0 - factors.beta1) * g;
            *v = factors.beta2 * *v + (1.0 - factors.beta2) * g * g;
            *w -= factors.lr * *m / (v.sqrt() + factors.eps);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook form in f64: m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ), w ← w (1 − lr·wd) − lr·m̂ / (√v̂ + ε).
    #[test]
    fn steps_follow_the_formula() {
        let config = OptimizerConfig {
            clip_norm: 0.0,
            ..OptimizerConfig::default()
        };
        let mut state = OptimizerState::new(vec![0.5, -1.0, 2.0], &config);
        let (mut w, mut m, mut v) = ([0.5, -1.0, 2.0_f64], [0.0; 3], [0.0; 3]);
        for step in 0..20_u64 {
            let g: Vec<f32> = (0..3).map(|i| ((step * 3 + i) as f32).sin()).collect();
            state.step(&config, step, 1e-2, &g, std::slice::from_ref(&(0..2)));
            let t = i32::try_from(step + 1).unwrap();
            for i in 0..3 {
                let g = f64::from(g[i]);
                m[i] = config.beta1 * m[i] + (1.0 - config.beta1) * g;
                v[i] = config.beta2 * v[i] + (1.0 - config.beta2) * g * g;
                let decay = if i < 2 {
                    1.0 - 1e-2 * config.weight_decay
                } else {
                    1.0
                };
                let m = m[i] / (1.0 - config.beta1.powi(t));
                let v = v[i] / (1.0 - config.beta2.powi(t));
                w[i] = w[i] * decay - 1e-2 * m / (v.sqrt() + config.eps);
            }
        }
        for (a, b) in state.weights.iter().zip(w) {
            assert!((f64::from(*a) - b).abs() < 1e-5, "{a} {b}");
        }
    }

    /// Steps of PyTorch's AdamW, made by `tests/data/adamw.py`.
    #[derive(Deserialize)]
    struct Table {
        beta1: f64,
        beta2: f64,
        eps: f64,
        weight_decay: f64,
        clip_norm: f64,
        decayed: usize,
        initial: Vec<f32>,
        steps: Vec<Row>,
    }

    #[derive(Deserialize)]
    struct Row {
        lr: f64,
        gradient: Vec<f32>,
        norm: f64,
        weights: Vec<f32>,
        first: Vec<f32>,
        second: Vec<f32>,
    }

    #[test]
    fn steps_agree_with_pytorch() {
        let table: Table = serde_json::from_str(include_str!("../tests/data/adamw.json")).unwrap();
        let config = OptimizerConfig {
            beta1: table.beta1,
            beta2: table.beta2,
            eps: table.eps,
            weight_decay: table.weight_decay,
            clip_norm: table.clip_norm,
            ema_decay: 0.0,
            ..OptimizerConfig::default()
        };
        let close = |found: &[f32], expected: &[f32], what: &str| {
            assert_eq!(found.len(), expected.len());
            // PyTorch adds 1e-6 to the norm that it divides by when it clips; sums of such terms may cancel.
            let largest = expected.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() <= 3e-6 * largest, "{what}: {a} {b}");
            }
        };
        let mut state = OptimizerState::new(table.initial.clone(), &config);
        let mut clipped = 0;
        for (step, row) in table.steps.iter().enumerate() {
            let decayed = 0..table.decayed;
            let norm = state.step(
                &config,
                step as u64,
                row.lr,
                &row.gradient,
                std::slice::from_ref(&decayed),
            );
            assert!((norm - row.norm).abs() <= 1e-6 * row.norm, "{norm}");
            clipped += usize::from(norm > table.clip_norm);
            close(&state.weights, &row.weights, "weights");
            close(&state.first, &row.first, "first");
            close(&state.second, &row.second, "second");
        }
        assert!(clipped > 3 && clipped < table.steps.len());
    }

    #[test]
    fn parts_and_threads_change_nothing() {
        let len = 3 * STRETCH + 17;
        let values =
            |salt: f32| -> Vec<f32> { (0..len).map(|i| (i as f32 * salt).sin()).collect() };
        let config = OptimizerConfig::default();
        let gradient = values(0.37);
        // Borders in the middle of stretches and of parts.
        let decayed = [10..STRETCH + 5, 2 * STRETCH..len - 3];
        let after = |threads: usize, parts: &[&[f32]]| {
            let mut state = OptimizerState::new(values(0.11), &config);
            for step in 0..3 {
                state.step_on(threads, &config, step, 1e-2, parts, &decayed);
            }
            state
        };
        let whole = after(1, &[&gradient]);
        assert_eq!(after(3, &[&gradient]), whole);
        // Other parts are other partial sums of the norm, so the clipped steps agree closely, not to the bit.
        let (a, b) = gradient.split_at(100);
        for (x, y) in after(2, &[a, b]).weights.iter().zip(&whole.weights) {
            assert!((x - y).abs() < 1e-6);
        }
        assert_eq!(whole.average.len(), len);
    }

    #[test]
    fn large_gradients_are_clipped() {
        let config = OptimizerConfig::default();
        let mut state = OptimizerState::new(vec![0.0; 2], &config);
        let norm = state.step(&config, 0, 0.0, &[30.0, 40.0], &[]);
        assert!((norm - 50.0).abs() < 1e-4);
        assert!((state.first[0] - 0.1 * 0.6).abs() < 1e-6);
    }

    #[test]
    fn the_schedule_warms_up_and_decays() {
        let config = OptimizerConfig {
            lr: 1.0,
            warmup_steps: 10,
            ..OptimizerConfig::default()
        };
        assert!((config.learning_rate(0, 110) - 0.1).abs() < 1e-12);
        assert!((config.learning_rate(10, 110) - 1.0).abs() < 1e-12);
        assert!((config.learning_rate(60, 110) - 0.55).abs() < 1e-12);
        assert!((config.learning_rate(110, 110) - 0.1).abs() < 1e-12);
        assert!((config.learning_rate(500, 110) - 0.1).abs() < 1e-12);
    }
}
