//! The gradient of one batch: pieces on several threads, summed in a fixed order.

use std::borrow::Borrow;
use std::sync::Arc;

use crate::error::Result;
use crate::kernels::simd;
use crate::model::network::{Likelihoods, Network, Weights};
use crate::model::packed::{LossWeights, PackedBatch, Part, level_index};
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

    /// The weighted mean: what is minimized.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.weighted / self.weight
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
/// the samples alone.
#[must_use]
pub fn pieces<S: Borrow<Sample>>(
    samples: &[S],
    tokens: usize,
    weights: &LossWeights,
) -> Vec<Arc<PackedBatch>> {
    let mut rising: Vec<&Sample> = samples.iter().map(Borrow::borrow).collect();
    rising.sort_by(|a, b| a.head().cmp(b.head()));
    let mut groups: Vec<(usize, &[&Sample])> = rising
        .chunk_by(|a, b| a.head() == b.head())
        .map(|group| (rows(group), group))
        .collect();
    // Longest first onto the emptiest piece; the sorts are stable, so equals keep their order.
    groups.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
    let total: usize = groups.iter().map(|(rows, _)| rows).sum();
    let count = total.div_ceil(tokens.max(1)).clamp(1, groups.len().max(1));
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

/// Gradient buffers, reused from step to step: one for every piece.
#[derive(Debug)]
pub struct GradientPool {
    threads: usize,
    buffers: Vec<Vec<f32>>,
}

impl GradientPool {
    /// Buffers for a number of threads.
    #[must_use]
    pub const fn new(threads: usize) -> Self {
        Self {
            threads,
            buffers: Vec::new(),
        }
    }

    /// The gradient of the batch's weighted mean loss, and its sums. The result does not depend on the threads.
    ///
    /// # Errors
    /// When the network refuses a piece.
    pub fn gradient(
        &mut self,
        network: &Network,
        weights: &Weights,
        pieces: &[Arc<PackedBatch>],
    ) -> Result<(&[f32], LossSums)> {
        let total = network.layout().total();
        self.buffers.resize_with(pieces.len(), Vec::new);
        let factor = 1.0 / pieces.iter().map(|piece| piece.weight()).sum::<f64>();
        let work: Vec<_> = pieces
            .iter()
            .zip(&mut self.buffers)
            .map(|(piece, buffer)| (piece, std::sync::Mutex::new(buffer)))
            .collect();
        let results = parallel::map(self.threads, &work, |_, (piece, buffer)| {
            let mut buffer = buffer
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            buffer.clear();
            buffer.resize(total, 0.0);
            network.add_gradient(weights, piece, factor, &mut buffer)
        });
        drop(work);
        let mut sums = LossSums::default();
        for (piece, result) in pieces.iter().zip(results) {
            let Likelihoods { nll, .. } = result?;
            sums.count(piece, &nll);
        }
        self.sum();
        Ok((&self.buffers[0], sums))
    }

    /// Adds all buffers to the first, in their order.
    fn sum(&mut self) {
        let Some((first, others)) = self.buffers.split_first_mut() else {
            return;
        };
        let part = first.len().div_ceil(self.threads).max(1);
        std::thread::scope(|scope| {
            for (index, into) in first.chunks_mut(part).enumerate() {
                let others = &*others;
                scope.spawn(move || {
                    for other in others {
                        let start = index * part;
                        simd::add(into, &other[start..start + into.len()]);
                    }
                });
            }
        });
    }
}
