//! Softmax over the vocabulary with the negative log-likelihood of the targets.

use super::simd::{self, vectorized};

vectorized! {
    /// Turns every row of `logits` (rows x vocabulary) into probabilities. Row r's −log p(target) goes to `nll[r]`, and
    /// `greedy[r]` says whether the target is the most likely token.
    pub fn likelihood(
        logits: &mut [f32],
        vocabulary: usize,
        targets: &[u32],
        nll: &mut [f32],
        greedy: &mut [bool],
    ) {
        let rows = logits.chunks_exact_mut(vocabulary).zip(targets);
        for (((row, target), nll), greedy) in rows.zip(nll).zip(greedy) {
            let target = row[*target as usize];
            let largest = simd::max(row);
            *greedy = target >= largest;
            let sum = simd::exp_and_sum(row, largest);
            simd::scale(row, 1.0 / sum);
            *nll = sum.ln() + largest - target;
        }
    }
}

vectorized! {
    /// Turns the probabilities of [`likelihood`] into the gradient of the logits, given `dnll`, that of `nll`.
    pub fn likelihood_backward(
        probabilities: &mut [f32],
        vocabulary: usize,
        targets: &[u32],
        dnll: &[f32],
    ) {
        let rows = probabilities.chunks_exact_mut(vocabulary).zip(targets);
        for ((row, target), d) in rows.zip(dnll) {
            row[*target as usize] -= 1.0;
            simd::scale(row, *d);
        }
    }
}
