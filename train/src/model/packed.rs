//! Samples of different lengths in one batch without padding, and what neighbours have in common only once.

use stride_firmware_config::level::PolicyLevel;

use crate::kernels::attention::Sequence;
use crate::tokens::Sample;

/// What a loss position belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A token of the frame.
    Frame,
    /// A token of the utterance or its end marker.
    Utterance,
}

/// Sequences laid one after the other. A sample of L tokens gives L − 1 inputs; input i is asked for token i + 1.
///
/// The calls of one step begin with the same scene and observation. Neighbouring samples with equal heads share one
/// sequence for the head, and each has one for the rest that sees it: the same numbers as apart, for about two thirds of
/// the work. The head's last token is asked for nothing then, because the samples go on differently.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PackedBatch {
    /// Input tokens.
    pub inputs: Vec<u32>,
    /// Position of every input in its own sequence.
    pub positions: Vec<u32>,
    /// What sees what.
    pub sequences: Vec<Sequence>,
    /// Level of every sample.
    pub levels: Vec<PolicyLevel>,
    /// What is asked of the network.
    pub asked: Asked,
}

/// Rows with a loss: only these pass through the output matrix.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// Rows of the batch, rising.
    pub rows: Vec<u32>,
    /// The right answer of each.
    pub targets: Vec<u32>,
    /// Weight of each in the loss.
    pub weights: Vec<f32>,
    /// Sample of each (of a shared head: its first).
    pub samples: Vec<u32>,
    /// What each belongs to.
    pub parts: Vec<Part>,
}

/// Weights of the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossWeights {
    /// Of a frame's token, beside 1 of an utterance's. Zero leaves the frame out.
    pub frame: f32,
    /// Of a level: high, low, progress.
    pub levels: [f32; 3],
}

impl LossWeights {
    /// The utterance alone, every level alike: what evaluation measures.
    pub const UTTERANCE: Self = Self {
        frame: 0.0,
        levels: [1.0; 3],
    };
}

/// The place of a level in [`PolicyLevel::ALL`].
#[must_use]
pub const fn level_index(level: PolicyLevel) -> usize {
    match level {
        PolicyLevel::High => 0,
        PolicyLevel::Low => 1,
        PolicyLevel::Progress => 2,
    }
}

fn index(value: usize) -> u32 {
    u32::try_from(value).expect("a batch holds fewer than 2^32 tokens")
}

impl PackedBatch {
    /// Packs samples in their order.
    #[must_use]
    pub fn new<'a>(samples: impl IntoIterator<Item = &'a Sample>, weights: &LossWeights) -> Self {
        let samples: Vec<&Sample> = samples.into_iter().collect();
        let mut batch = Self::default();
        for group in samples.chunk_by(|a, b| a.head_len > 0 && a.head() == b.head()) {
            match group {
                [alone] => batch.push(alone, &Sequence::default(), weights),
                [first, ..] => {
                    let head =
                        batch.push_rows(first, 0..first.head_len, &Sequence::default(), weights);
                    for sample in group {
                        batch.push(sample, &head, weights);
                    }
                }
                [] => {}
            }
        }
        batch
    }

    /// Appends what of a sample is not in `head`.
    fn push(&mut self, sample: &Sample, head: &Sequence, weights: &LossWeights) {
        let inputs = sample.tokens.len().saturating_sub(1);
        self.push_rows(sample, head.rows.len()..inputs, head, weights);
        self.levels.push(sample.level);
    }

    /// Appends a range of a sample's inputs as one sequence behind `head`.
    fn push_rows(
        &mut self,
        sample: &Sample,
        range: std::ops::Range<usize>,
        head: &Sequence,
        weights: &LossWeights,
    ) -> Sequence {
        let start = self.inputs.len();
        let level = weights.levels[level_index(sample.level)];
        let open_end = range.end < sample.tokens.len() - 1;
        for (row, position) in (start..).zip(range.clone()) {
            let (part, weight) = if position + 1 < sample.frame_len {
                (Part::Frame, weights.frame)
            } else {
                (Part::Utterance, sample.weight)
            };
            let asked = !(open_end && position + 1 == range.end);
            if asked && weight * level > 0.0 {
                self.asked.rows.push(index(row));
                self.asked.targets.push(sample.tokens[position + 1]);
                self.asked.weights.push(weight * level);
                self.asked.samples.push(index(self.levels.len()));
                self.asked.parts.push(part);
            }
        }
        self.inputs.extend_from_slice(&sample.tokens[range.clone()]);
        self.positions.extend(range.map(index));
        let sequence = Sequence {
            prefix: head.rows.clone(),
            rows: start..self.inputs.len(),
        };
        self.sequences.push(sequence.clone());
        sequence
    }

    /// Input tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// No tokens at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Sum of the loss weights.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.asked.weights.iter().map(|w| f64::from(*w)).sum()
    }
}
