//! Samples of different lengths in one batch without padding.

use std::ops::Range;

use stride_firmware_config::level::PolicyLevel;

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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PackedBatch {
    /// Input tokens.
    pub inputs: Vec<u32>,
    /// Position of every input in its own sequence.
    pub positions: Vec<u32>,
    /// Rows of every sequence.
    pub sequences: Vec<Range<usize>>,
    /// Level of every sequence.
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
    /// Sequence of each.
    pub sequences: Vec<u32>,
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
        let mut batch = Self::default();
        for sample in samples {
            batch.push(sample, weights);
        }
        batch
    }

    fn push(&mut self, sample: &Sample, weights: &LossWeights) {
        let Some((_, inputs)) = sample.tokens.split_last() else {
            return;
        };
        let start = self.inputs.len();
        let sequence = index(self.sequences.len());
        let level = weights.levels[level_index(sample.level)];
        for (position, target) in sample.tokens.iter().enumerate().skip(1) {
            let (part, weight) = if position < sample.frame_len {
                (Part::Frame, weights.frame)
            } else {
                (Part::Utterance, 1.0)
            };
            if weight * level > 0.0 {
                self.asked.rows.push(index(start + position - 1));
                self.asked.targets.push(*target);
                self.asked.weights.push(weight * level);
                self.asked.sequences.push(sequence);
                self.asked.parts.push(part);
            }
        }
        self.inputs.extend_from_slice(inputs);
        self.positions.extend(0..index(inputs.len()));
        self.sequences.push(start..start + inputs.len());
        self.levels.push(sample.level);
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
