//! The gradient of one batch: pieces on several threads, summed in a fixed order.

use std::borrow::Borrow;
use std::sync::Arc;

use crate::error::Result;
use crate::model::network::{Network, Weights};
use crate::model::packed::{LossWeights, PackedBatch, Part, level_index};
use crate::model::sum::GradientSum;
use crate::parallel;
use crate::tokens::Sample;

/// Sums over the asked tokens of batches.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LossSums {
    /// Σ −log p over utterance tokens, by level.
    pub nll: [f64; 3],
    /// Utterance tokens, by level.
    pub tokens: [u64; 3],
    /// Σ −log p over frame tokens.
    pub frame_nll: f64,
    /// Frame tokens.
    pub frame_tokens: u64,
    /// Σ weight · −log p.
    pub weighted: f64,
    /// Σ weight.
    pub weight: f64,
}

impl LossSums {
    /// Counts one batch.
    pub fn count(&mut self, batch: &PackedBatch, nll: &[f32]) {
        let asked = &batch.asked;
        for (i, nll) in nll.iter().enumerate() {
            let nll = f64::from(*nll);
            let weight = f64::from(asked.weights[i]);
            self.weighted += weight * nll;
            self.weight += weight;
            match asked.parts[i] {
                Part::Frame => {
                    self.frame_nll += nll;
                    self.frame_tokens += 1;
                }
                Part::Utterance => {
                    let level = level_index(batch.levels[asked.samples[i] as usize]);
                    self.nll[level] += nll;
                    self.tokens[level] += 1;
                }
            }
        }
    }

    /// Adds other sums.
    pub fn add(&mut self, other: &Self) {
        for level in 0..3 {
            self.nll[level] += other.nll[level];
            self.tokens[level] += other.tokens[level];
        }
        self.frame_nll += other.frame_nll;
        self.frame_tokens += other.frame_tokens;
        self.weighted += other.weighted;
        self.weight += other.weight;
    }

    /// The weighted mean: what is minimized; 0 where nothing has weight.
    #[must_use]
    pub fn loss(&self) -> f64 {
        if self.weight > 0.0 {
            self.weighted / self.weight
        } else {
            0.0
        }
    }

    /// Mean −log p of an utterance token, by level; `None` for a level without tokens.
    #[must_use]
    pub fn levels(&self) -> [Option<f64>; 3] {
        std::array::from_fn(|l| (self.tokens[l] > 0).then(|| self.nll[l] / self.tokens[l] as f64))
    }

    /// Mean −log p of a frame token.
    #[must_use]
    pub fn frame(&self) -> Option<f64> {
        (self.frame_tokens > 0).then(|| self.frame_nll / self.frame_tokens as f64)
    }
}

/// Cuts samples into batches of about `tokens` tokens each, as even as the samples allow. Order and cut depend on
/// the samples alone. Samples of levels without weight are left out.
#[must_use]
pub fn pieces<S: Borrow<Sample>>(
    samples: &[S],
    tokens: usize,
    weights: &LossWeights,
) -> Vec<Arc<PackedBatch>> {
    let heard = |sample: &&Sample| weights.levels[level_index(sample.level)] > 0.0;
    let mut rising: Vec<&Sample> = samples.iter().map(Borrow::borrow).filter(heard).collect();
    if rising.is_empty() {
        return Vec::new();
    }
    rising.sort_by(|a, b| a.head().cmp(b.head()));
    let mut groups: Vec<(usize, &[&Sample])> = rising
        .chunk_by(|a, b| a.head_len > 0 && a.head() == b.head())
        .map(|group| (rows(group), group))
        .collect();
    // Longest first onto the emptiest piece; the sorts are stable, so equals keep their order.
    groups.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
    let total: usize = groups.iter().map(|(rows, _)| rows).sum();
    let count = total.div_ceil(tokens.max(1)).clamp(1, groups.len());
    let mut loads = vec![0_usize; count];
    let mut parts: Vec<Vec<&Sample>> = vec![Vec::new(); count];
    for (rows, group) in groups {
        let emptiest = (0..count).min_by_key(|i| loads[*i]).unwrap_or(0);
        loads[emptiest] += rows;
        parts[emptiest].extend_from_slice(group);
    }
    parts
        .into_iter()
        .map(|part| Arc::new(PackedBatch::new(part, weights)))
        .collect()
}

/// Rows that samples with one head take in a batch.
fn rows(group: &[&Sample]) -> usize {
    let whole = |sample: &&Sample| sample.tokens.len() - 1;
    match group {
        [first, rest @ ..] => {
            whole(first) + rest.iter().map(|s| whole(s) - s.head_len).sum::<usize>()
        }
        [] => 0,
    }
}

/// The gradient of a batch on several threads. Its memory is reused from step to step.
#[derive(Debug)]
pub struct GradientPool {
    threads: usize,
    sum: Option<GradientSum>,
}

impl GradientPool {
    /// A pool for a number of threads.
    #[must_use]
    pub const fn new(threads: usize) -> Self {
        Self { threads, sum: None }
    }

    /// The gradient of the batch's weighted mean loss, as parts of the flat vector in their order, and the batch's sums. The
    /// result does not depend on the threads. Where nothing has weight, the gradient is zero.
    ///
    /// # Errors
    /// When the network refuses a piece.
    pub fn gradient(
        &mut self,
        network: &Network,
        weights: &Weights,
        pieces: &[Arc<PackedBatch>],
    ) -> Result<(Vec<&[f32]>, LossSums)> {
        let weight: f64 = pieces.iter().map(|piece| piece.weight()).sum();
        let mut sums = LossSums::default();
        let sum = match self.sum.take() {
            Some(mut sum) if weight > 0.0 => {
                sum.begin();
                sum
            }
            _ => network.gradient_sum(),
        };
        let shared = Arc::new(sum);
        if weight > 0.0 {
            let results = parallel::map(self.threads, pieces, |index, piece| {
                network.add_gradient(weights, piece, 1.0 / weight, &shared, index)
            });
            for (piece, result) in pieces.iter().zip(results) {
                sums.count(piece, &result?.nll);
            }
        }
        let sum =
            Arc::into_inner(shared).expect("the operations that share it ended with their pieces");
        Ok((network.gradient(self.sum.insert(sum)), sums))
    }
}

#[cfg(test)]
mod tests {
    use stride_firmware_config::level::PolicyLevel;

    use super::*;

    fn sample(level: PolicyLevel, head: u32, head_len: usize, len: usize) -> Sample {
        let mut tokens = vec![head; head_len];
        tokens.resize(len + 1, 3);
        Sample {
            level,
            tokens,
            frame_len: head_len.max(1),
            head_len,
            weight: 1.0,
        }
    }

    #[test]
    fn samples_without_a_head_are_cut_evenly() {
        let samples: Vec<Sample> = (0..16)
            .map(|_| sample(PolicyLevel::Low, 0, 0, 25))
            .collect();
        let lens: Vec<usize> = pieces(&samples, 100, &LossWeights::UTTERANCE)
            .iter()
            .map(|piece| piece.len())
            .collect();
        assert_eq!(lens, [100; 4]);
    }

    #[test]
    fn a_shared_head_stays_together_and_silent_levels_are_left_out() {
        let mut samples = Vec::new();
        for head in 0..4 {
            for level in PolicyLevel::ALL {
                samples.push(sample(level, head, 10, 20));
            }
        }
        let all = pieces(&samples, 20, &LossWeights::UTTERANCE);
        let lens: Vec<usize> = all.iter().map(|piece| piece.len()).collect();
        assert_eq!(lens, [40; 4], "10 of the head and 10 of each call");
        let weights = LossWeights {
            frame: 0.1,
            levels: [0.0, 1.0, 0.0],
        };
        let heard = pieces(&samples, 1000, &weights);
        assert_eq!(
            heard.iter().map(|piece| piece.levels.len()).sum::<usize>(),
            4
        );
        let silent = LossWeights {
            frame: 0.1,
            levels: [0.0; 3],
        };
        assert!(pieces(&samples, 1000, &silent).is_empty());
    }

    #[test]
    fn a_batch_without_weight_has_no_gradient() {
        use crate::model::parameters::ParameterLayout;
        use crate::model::shape::ModelShape;

        let shape = ModelShape {
            hidden: 8,
            layers: 1,
            heads: 2,
            kv_heads: 2,
            ffn: 8,
            ..ModelShape::default()
        };
        let layout = ParameterLayout::new(&shape, 11);
        let flat = layout.initialize(1);
        let network = Network::new(layout);
        let weights = network.weights(&flat).unwrap();
        let samples = [sample(PolicyLevel::Low, 2, 3, 9)];
        let heard = pieces(&samples, 100, &LossWeights::UTTERANCE);
        let mut pool = GradientPool::new(2);
        let norm = |parts: Vec<&[f32]>| -> f32 { parts.concat().iter().map(|g| g * g).sum() };
        let (gradient, sums) = pool.gradient(&network, &weights, &heard).unwrap();
        assert!(norm(gradient) > 0.0 && sums.loss() > 0.0);
        let (gradient, sums) = pool.gradient(&network, &weights, &[]).unwrap();
        assert!(norm(gradient) == 0.0 && sums.loss() == 0.0);
    }
}
