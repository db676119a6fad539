//! The trained weights as one flat vector: block by block the pairs, then the trained rows of the embedding.
//!
//! Pairs that read the same input form a group. Their A lie one below the other, so that one product serves them all.

use std::ops::Range;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::config::{LoraConfig, Target};
use crate::model::shape::ModelShape;

/// Groups of a block.
pub const GROUPS: usize = 4;
/// The group that reads the first norm: q, k and v.
pub const QKV: usize = 0;
/// The group that reads the attention's result.
pub const OUT: usize = 1;
/// The group that reads the second norm: gate and up.
pub const GATE_UP: usize = 2;
/// The group that reads the activation.
pub const DOWN: usize = 3;

/// A pair: its matrix, and which columns of the group's result that matrix makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The matrix.
    pub target: Target,
    /// Columns of the group's result, which are rows of the group's fused matrix.
    pub columns: Range<usize>,
}

/// Pairs that read the same input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Elements of a row of the input.
    pub input: usize,
    /// Elements of a row of the result, of those without an adapter too.
    pub output: usize,
    /// Rank of every pair.
    pub rank: usize,
    /// The pairs; none where nothing here has an adapter.
    pub parts: Vec<Part>,
    /// Its place in the block's stretch of the flat vector.
    pub range: Range<usize>,
}

impl Group {
    /// All A, one below the other (pairs · rank rows x input).
    #[must_use]
    pub fn down(&self) -> Range<usize> {
        0..self.parts.len() * self.rank * self.input
    }

    /// The B of every pair (its columns' number of rows x rank).
    pub fn ups(&self) -> impl Iterator<Item = (&Part, Range<usize>)> {
        let mut start = self.down().end;
        self.parts.iter().map(move |part| {
            let len = part.columns.len() * self.rank;
            start += len;
            (part, start - len..start)
        })
    }

    /// Elements of a row between A and B.
    #[must_use]
    pub fn middle(&self) -> usize {
        self.parts.len() * self.rank
    }
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterLayout {
    /// The groups of a block.
    pub groups: [Group; GROUPS],
    /// What a pair's product is multiplied by.
    pub scale: f32,
    /// Share of the inputs that a step leaves out.
    pub dropout: f32,
    /// Ids of the tokens whose rows are trained.
    pub tokens: Vec<u32>,
    hidden: usize,
    blocks: usize,
    block: usize,
    tied: bool,
}

impl AdapterLayout {
    /// The layout for a network of this shape, with trained rows for `tokens`.
    #[must_use]
    pub fn new(shape: &ModelShape, config: &LoraConfig, tokens: Vec<u32>) -> Self {
        let heads = shape.attention();
        let (h, f) = (shape.hidden, shape.ffn);
        let (q, kv) = (heads.out_row(), heads.key_value * heads.dim);
        let mut cursor = 0;
        let mut group = |input: usize, parts: &[(Target, usize)]| {
            let mut column = 0;
            let mut chosen = Vec::new();
            for (target, len) in parts {
                if config.targets.contains(target) {
                    chosen.push(Part {
                        target: *target,
                        columns: column..column + len,
                    });
                }
                column += len;
            }
            let len: usize = chosen
                .iter()
                .map(|part| config.r * (input + part.columns.len()))
                .sum();
            cursor += len;
            Group {
                input,
                output: column,
                rank: config.r,
                parts: chosen,
                range: cursor - len..cursor,
            }
        };
        let groups = [
            group(
                h,
                &[(Target::QProj, q), (Target::KProj, kv), (Target::VProj, kv)],
            ),
            group(q, &[(Target::OProj, h)]),
            group(h, &[(Target::GateProj, f), (Target::UpProj, f)]),
            group(f, &[(Target::DownProj, h)]),
        ];
        Self {
            groups,
            scale: config.scale(),
            dropout: config.dropout as f32,
            tokens,
            hidden: h,
            blocks: shape.layers,
            block: cursor,
            tied: shape.tie_embeddings,
        }
    }

    /// Blocks of the network.
    #[must_use]
    pub const fn blocks(&self) -> usize {
        self.blocks
    }

    /// A group's weights in the flat vector.
    #[must_use]
    pub fn group(&self, block: usize, group: usize) -> Range<usize> {
        let range = &self.groups[group].range;
        block * self.block + range.start..block * self.block + range.end
    }

    /// All pairs.
    #[must_use]
    pub fn pairs(&self) -> Range<usize> {
        0..self.blocks * self.block
    }

    /// The trained rows of the embedding (tokens x hidden).
    #[must_use]
    pub fn input_rows(&self) -> Range<usize> {
        let start = self.pairs().end;
        start..start + self.tokens.len() * self.hidden
    }

    /// The trained rows of the output matrix; those of the embedding when they are tied.
    #[must_use]
    pub fn output_rows(&self) -> Range<usize> {
        let rows = self.input_rows();
        if self.tied {
            rows
        } else {
            rows.end..rows.end + rows.len()
        }
    }

    /// Whether the output matrix is the embedding.
    #[must_use]
    pub const fn tied(&self) -> bool {
        self.tied
    }

    /// Trained weights in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.output_rows().end
    }

    /// The initial pairs, as PEFT makes them: A uniform within ±1/√input, B zero, so that nothing is added at first. A function
    /// of the seed. The rows behind them are the caller's.
    #[must_use]
    pub fn initialize(&self, seed: u64) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut flat = vec![0.0; self.total()];
        for block in 0..self.blocks {
            for (index, group) in self.groups.iter().enumerate() {
                let bound = 1.0 / (group.input as f32).sqrt();
                let start = self.group(block, index).start;
                let down = group.down();
                for weight in &mut flat[start + down.start..start + down.end] {
                    *weight = random.random_range(-bound..bound);
                }
            }
        }
        flat
    }
}
