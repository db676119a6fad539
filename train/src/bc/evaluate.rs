//! Held-out loss and teacher-forced exact match.

use serde::{Deserialize, Serialize};

use super::gradient::{LossSums, pieces};
use crate::error::Result;
use crate::model::network::Network;
use crate::model::packed::{LossWeights, level_index};
use crate::parallel;
use crate::tokens::Sample;

/// What an evaluation found, by level in the order high, low, progress; `None` where no sample was held out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evaluation {
    /// Samples looked at.
    pub samples: [u64; 3],
    /// Mean −log p of an utterance token.
    pub nll: [Option<f64>; 3],
    /// Share of utterances whose every token, end marker included, was the most likely one behind the right ones.
    pub exact: [Option<f64>; 3],
}

impl Evaluation {
    /// Mean exact match over the levels that have samples: what `best` is chosen by.
    #[must_use]
    pub fn score(&self) -> Option<f64> {
        let found: Vec<f64> = self.exact.iter().flatten().copied().collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    }
}

/// Evaluates flat weights on samples.
///
/// # Errors
/// When the network refuses a sample.
pub fn evaluate(
    network: &Network,
    flat: &[f32],
    samples: &[Sample],
    micro_tokens: usize,
    threads: usize,
) -> Result<Evaluation> {
    if samples.is_empty() {
        return Ok(Evaluation::default());
    }
    let weights = network.weights(flat)?;
    let pieces = pieces(samples, micro_tokens, &LossWeights::UTTERANCE);
    let results = parallel::map(threads, &pieces, |_, piece| {
        network.likelihoods(&weights, piece)
    });
    let mut sums = LossSums::default();
    let (mut exact, mut count) = ([0_u64; 3], [0_u64; 3]);
    for (piece, result) in pieces.iter().zip(results) {
        let found = result?;
        sums.count(piece, &found.nll);
        let mut right = vec![true; piece.levels.len()];
        for (sample, greedy) in piece.asked.samples.iter().zip(found.greedy) {
            right[*sample as usize] &= greedy;
        }
        for (level, right) in piece.levels.iter().zip(right) {
            count[level_index(*level)] += 1;
            exact[level_index(*level)] += u64::from(right);
        }
    }
    Ok(Evaluation {
        samples: count,
        nll: sums.levels(),
        exact: std::array::from_fn(|l| (count[l] > 0).then(|| exact[l] as f64 / count[l] as f64)),
    })
}
