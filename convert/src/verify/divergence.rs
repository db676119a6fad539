//! How far the predictions of one side are from those of the other.

use rayon::prelude::*;

use crate::forward::{self, Batch, ForwardError, Parameters};

/// Logits that are in memory at once, on each side (64 MiB as `f32`).
pub(crate) const LOGITS_AT_ONCE: usize = 1 << 24;
/// Activations of the widest layer that are in memory at once (32 MiB as `f32`), or those of one sequence.
const ACTIVATIONS_AT_ONCE: usize = 1 << 23;

/// A sequence, and where in it predictions are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What is read.
    pub tokens: Vec<u32>,
    /// Tokens whose prediction is looked at; the first of a sequence has none.
    pub scored: std::ops::Range<usize>,
    /// What it belongs to, for reports that tell groups apart.
    pub group: usize,
}

/// What was found at one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// The sample's group.
    pub group: usize,
    /// KL divergence of the second side's distribution from the first's, in nats.
    pub divergence: f64,
    /// Both sides hold the same token for the most likely.
    pub agrees: bool,
    /// Minus the logarithm of the probability of the token that stands there: first side, second side.
    pub surprise: [f64; 2],
}

/// Runs both sides over all samples. `step` hears of every layer of every batch that is done; there are
/// [`steps`] of them.
///
/// # Errors
///
/// When the sides have vocabularies of different sizes, or a pass fails.
pub fn compare(
    sides: [&Parameters<'_>; 2],
    samples: &[Sample],
    step: &mut dyn FnMut(),
) -> Result<Vec<Position>, ForwardError> {
    let [first, second] = sides;
    let vocabulary = first.logits()?.rows;
    second.expect(&second.logits()?.name, vocabulary, second.network.hidden)?;
    let mut found = Vec::new();
    for part in batches(sides, samples) {
        let batch = batch_of(part);
        let hidden = [
            forward::hidden(first, &batch, &mut (), step)?,
            forward::hidden(second, &batch, &mut (), step)?,
        ];
        let scored = scored_rows(part);
        let at_once = (LOGITS_AT_ONCE / vocabulary).max(1);
        for rows in scored.chunks(at_once) {
            let logits = |side: usize| {
                let width = sides[side].network.hidden;
                let picked = rows.iter().flat_map(|row| {
                    let at = row.before * width;
                    &hidden[side][at..at + width]
                });
                forward::logits(sides[side], picked.copied().collect(), &mut ())
            };
            let (p, q) = (logits(0)?, logits(1)?);
            let positions = rows
                .par_iter()
                .zip(p.par_chunks_exact(vocabulary))
                .zip(q.par_chunks_exact(vocabulary))
                .map(|((row, p), q)| position(row, p, q));
            found.par_extend(positions);
        }
        step();
    }
    Ok(found)
}

/// How often [`compare`] calls its `step`.
#[must_use]
pub fn steps(sides: [&Parameters<'_>; 2], samples: &[Sample]) -> u64 {
    let layers: usize = sides.iter().map(|side| side.network.layers).sum();
    (batches(sides, samples).len() * (layers + 1)) as u64
}

/// Samples that go through the network together.
fn batches<'s>(sides: [&Parameters<'_>; 2], samples: &'s [Sample]) -> Vec<&'s [Sample]> {
    let most = sides.map(batch_tokens).into_iter().min().unwrap_or(1);
    batches_of(samples, most, |sample| sample.tokens.len())
}

/// Tokens whose activations a batch may hold.
pub(crate) fn batch_tokens(side: &Parameters<'_>) -> usize {
    let network = &side.network;
    let widest = network
        .intermediate
        .max(network.queries())
        .max(network.hidden);
    (ACTIVATIONS_AT_ONCE / widest).max(1)
}

/// Runs of items with at most `most` tokens together, one item at least.
pub(crate) fn batches_of<T>(items: &[T], most: usize, tokens: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let (mut batches, mut start, mut held) = (Vec::new(), 0, 0);
    for (at, item) in items.iter().enumerate() {
        let more = tokens(item);
        if at > start && held + more > most {
            batches.push(&items[start..at]);
            (start, held) = (at, 0);
        }
        held += more;
    }
    if start < items.len() {
        batches.push(&items[start..]);
    }
    batches
}

/// The tokens of all samples.
pub(crate) fn batch_of(samples: &[Sample]) -> Batch {
    let mut batch = Batch::default();
    for sample in samples {
        batch.push(&sample.tokens);
    }
    batch
}

/// A token that is looked at.
struct Row {
    group: usize,
    /// Row, in the batch, of the token before it, which predicts it.
    before: usize,
    token: u32,
}

fn scored_rows(samples: &[Sample]) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut start = 0;
    for sample in samples {
        let scored = sample.scored.clone().filter(|&at| at > 0);
        rows.extend(scored.map(|at| Row {
            group: sample.group,
            before: start + at - 1,
            token: sample.tokens[at],
        }));
        start += sample.tokens.len();
    }
    rows
}

fn position(row: &Row, p: &[f32], q: &[f32]) -> Position {
    let (p_most, p_norm) = normal(p);
    let (q_most, q_norm) = normal(q);
    let divergence: f64 = p
        .iter()
        .zip(q)
        .map(|(&p, &q)| {
            let (p, q) = (f64::from(p) - p_norm, f64::from(q) - q_norm);
            p.exp() * (p - q)
        })
        .sum();
    let token = row.token as usize;
    Position {
        group: row.group,
        // Rounding can leave a hair below nothing.
        divergence: divergence.max(0.0),
        agrees: p_most == q_most,
        surprise: [p_norm - f64::from(p[token]), q_norm - f64::from(q[token])],
    }
}

/// The first of the largest logits, and the logarithm of the sum of exponentials.
fn normal(logits: &[f32]) -> (usize, f64) {
    let most = most_likely(logits);
    let largest = f64::from(logits[most]);
    let sum: f64 = logits
        .iter()
        .map(|&logit| (f64::from(logit) - largest).exp())
        .sum();
    (most, largest + sum.ln())
}

/// The first of the largest logits, as greedy decoding picks it.
pub(crate) fn most_likely(logits: &[f32]) -> usize {
    let mut best = 0;
    for (at, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = at;
        }
    }
    best
}

/// The sums over some positions.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Divergence {
    /// Tokens whose prediction was looked at.
    pub tokens: usize,
    /// Mean KL divergence, in nats.
    pub mean_kl: f64,
    /// The divergence that 99 of 100 tokens stay under.
    pub p99_kl: f64,
    /// The largest divergence.
    pub largest_kl: f64,
    /// Share of tokens at which both sides hold the same token for the most likely.
    pub top1: f64,
    /// Perplexity of the source.
    pub source_perplexity: f64,
    /// Perplexity of the file.
    pub file_perplexity: f64,
}

impl Divergence {
    /// Over all `positions`; `None` where there is none.
    #[must_use]
    pub fn of<'p>(positions: impl IntoIterator<Item = &'p Position>) -> Option<Self> {
        let positions: Vec<&Position> = positions.into_iter().collect();
        let count = positions.len();
        let mut sorted: Vec<f64> = positions.iter().map(|one| one.divergence).collect();
        sorted.sort_by(f64::total_cmp);
        let largest_kl = *sorted.last()?;
        let mean = |of: &dyn Fn(&Position) -> f64| {
            positions.iter().map(|one| of(one)).sum::<f64>() / count as f64
        };
        Some(Self {
            tokens: count,
            mean_kl: mean(&|one| one.divergence),
            // Nearest rank.
            p99_kl: sorted[(count * 99).div_ceil(100) - 1],
            largest_kl,
            top1: mean(&|one| f64::from(u8::from(one.agrees))),
            source_perplexity: mean(&|one| one.surprise[0]).exp(),
            file_perplexity: mean(&|one| one.surprise[1]).exp(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_what_the_formulas_say() {
        // p = (1/2, 1/4, 1/4), q = (1/4, 1/2, 1/4): KL = 1/2 ln 2 - 1/4 ln 2.
        let p = [2.0_f32.ln(), 0.0, 0.0];
        let q = [0.0, 2.0_f32.ln(), 0.0];
        let row = Row {
            group: 0,
            before: 0,
            token: 0,
        };
        let found = position(&row, &p, &q);
        assert!((found.divergence - 0.25 * 2.0_f64.ln()).abs() < 1e-7);
        assert!(!found.agrees);
        assert!((found.surprise[0] - 2.0_f64.ln()).abs() < 1e-7);
        assert!((found.surprise[1] - 4.0_f64.ln()).abs() < 1e-7);
        assert!(position(&row, &p, &p).agrees);
    }

    #[test]
    fn sums_take_the_nearest_rank() {
        let positions: Vec<Position> = (1..=200)
            .map(|at| Position {
                group: 0,
                divergence: f64::from(at),
                agrees: at % 4 == 0,
                surprise: [0.0, 2.0_f64.ln()],
            })
            .collect();
        let sums = Divergence::of(&positions).unwrap();
        assert_eq!(
            (sums.tokens, sums.p99_kl, sums.largest_kl),
            (200, 198.0, 200.0)
        );
        assert_eq!((sums.top1, sums.source_perplexity), (0.25, 1.0));
        assert!((sums.file_perplexity - 2.0).abs() < 1e-12);
        assert_eq!(Divergence::of(&[]), None);
    }

    #[test]
    fn batches_hold_whole_sequences() {
        let lengths = [3_usize, 4, 9, 1, 1];
        let batches = batches_of(&lengths, 7, |&length| length);
        assert_eq!(batches, [&[3, 4][..], &[9], &[1, 1]]);
        assert!(batches_of(&[] as &[usize], 7, |&length| length).is_empty());
    }
}
