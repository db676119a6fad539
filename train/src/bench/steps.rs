//! Our side of the comparison: optimizer steps of a network on made-up tokens.

use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use stride_firmware_config::level::PolicyLevel;

use crate::bc::gradient::{GradientPool, pieces};
use crate::checkpoint;
use crate::error::Result;
use crate::model::network::Network;
use crate::model::packed::LossWeights;
use crate::model::parameters::ParameterLayout;
use crate::model::shape::ModelShape;
use crate::optimizer::{OptimizerConfig, OptimizerState};
use crate::parallel;
use crate::tokens::Sample;

/// Every token counts, as in the peer.
const EVERY_TOKEN: LossWeights = LossWeights {
    frame: 1.0,
    levels: [1.0; 3],
};

/// What is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchOptions {
    /// The network.
    pub model: ModelShape,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// Input tokens of a sequence.
    pub length: usize,
    /// Tokens that one thread handles at once.
    pub micro_tokens: usize,
    /// Steps that are timed.
    pub steps: usize,
    /// Steps before them.
    pub warmup: usize,
    /// Threads; 0 takes one per core.
    pub threads: usize,
    /// Learning rate.
    pub lr: f64,
}

impl BenchOptions {
    /// A Llama-style network of 17 million weights on 16 sequences of 256 tokens.
    #[must_use]
    pub fn seventeen_million() -> Self {
        Self {
            model: ModelShape {
                hidden: 384,
                layers: 8,
                heads: 6,
                kv_heads: 6,
                ffn: 1024,
                init_std: 0.02,
                ..ModelShape::default()
            },
            vocab_size: 8000,
            batch: 16,
            length: 256,
            micro_tokens: 1024,
            steps: 5,
            warmup: 2,
            threads: 0,
            lr: 1e-3,
        }
    }

    /// The optimizer of both sides: no average of weights, which the peer has none of.
    fn optimizer(&self) -> OptimizerConfig {
        OptimizerConfig {
            lr: self.lr,
            ema_decay: 0.0,
            ..OptimizerConfig::default()
        }
    }

    fn layout(&self) -> ParameterLayout {
        ParameterLayout::new(&self.model, self.vocab_size)
    }

    /// Writes the initial weights as a Hugging Face folder, for the peer.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_folder(&self, folder: &Path) -> Result<()> {
        let layout = self.layout();
        checkpoint::write_network(folder, &layout, &layout.initialize(0), (0, 1))
    }

    /// The made-up tokens of a step; the peer's script has the same generator.
    fn tokens(&self, step: usize) -> Vec<Sample> {
        let mut state = step as u64 + 1;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((state >> 33) % self.vocab_size as u64)
                .expect("a vocabulary has fewer than 2^32 tokens")
        };
        (0..self.batch)
            .map(|_| Sample {
                level: PolicyLevel::Low,
                tokens: (0..=self.length).map(|_| next()).collect(),
                frame_len: 1,
                head_len: 0,
                weight: 1.0,
            })
            .collect()
    }
}

/// What was measured on one side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Input tokens per second of the median step.
    pub tokens_per_second: f64,
    /// Seconds of every timed step.
    pub seconds: Vec<f64>,
    /// Mean loss of every step, warm-up included: both sides compute the same.
    pub losses: Vec<f64>,
    /// Most resident memory of the process, where the system tells.
    pub peak_bytes: Option<u64>,
    /// Weights of the network.
    pub parameters: usize,
}

/// Takes the steps in this process.
///
/// # Errors
/// When the network refuses the tokens.
pub fn measure(options: &BenchOptions) -> Result<Measurement> {
    options.model.validate()?;
    let layout = options.layout();
    let optimizer = options.optimizer();
    let decayed = layout.decayed();
    let mut state = OptimizerState::new(layout.initialize(0), &optimizer);
    let parameters = layout.total();
    let network = Network::new(layout);
    let threads = parallel::threads(options.threads);
    let mut gradients = GradientPool::new(threads);
    let (mut seconds, mut losses) = (Vec::new(), Vec::new());
    for step in 0..options.warmup + options.steps {
        let samples = options.tokens(step);
        let start = Instant::now();
        let batch = pieces(&samples, options.micro_tokens, &EVERY_TOKEN);
        let leaves = network.weights(&state.weights)?;
        let (gradient, sums) = gradients.gradient(&network, &leaves, &batch)?;
        state.step_on(
            threads,
            &optimizer,
            step as u64,
            options.lr,
            &gradient,
            &decayed,
        );
        losses.push(sums.loss());
        if step >= options.warmup {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    Ok(Measurement {
        tokens_per_second: (options.batch * options.length) as f64 / median(&seconds),
        seconds,
        losses,
        peak_bytes: peak_bytes(),
        parameters,
    })
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
    }
}

/// Most resident memory of this process so far.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_has_every_step_and_its_loss_falls() {
        let options = BenchOptions {
            model: ModelShape {
                hidden: 32,
                layers: 2,
                heads: 4,
                kv_heads: 4,
                ffn: 64,
                ..ModelShape::default()
            },
            vocab_size: 50,
            batch: 4,
            length: 32,
            micro_tokens: 64,
            steps: 20,
            warmup: 1,
            threads: 2,
            lr: 1e-2,
        };
        let found = measure(&options).unwrap();
        assert_eq!((found.seconds.len(), found.losses.len()), (20, 21));
        // Random tokens: the first loss is that of guessing, and only their frequencies can be learnt.
        assert!((found.losses[0] - 50_f64.ln()).abs() < 0.2);
        assert!(found.tokens_per_second > 0.0);
        let again = measure(&BenchOptions {
            threads: 1,
            ..options
        });
        assert_eq!(again.unwrap().losses, found.losses);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-12);
    }
}
