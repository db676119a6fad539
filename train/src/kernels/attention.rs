//! Causal attention inside each sequence of a packed batch, and its gradient.
//!
//! Rows of `qkv` are `[q heads | k heads | v heads]` after the rotary embedding. Sequences lie one after the other
//! without padding. A query sees the rows of its own sequence up to itself, and before them all rows of the sequence's
//! prefix, which other sequences may share: the calls of one step have the same head, computed once.

use std::ops::Range;

use super::matrix::{Matrix, MatrixMut, add_product, product};
use super::pool::Pool;
use super::simd::{self, vectorized};

/// Query rows handled together: a block multiplies only with the keys up to its own end, which saves most of
/// the masked half at little cost in matrix size.
const BLOCK: usize = 32;

/// Head counts and size.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; divides `query`.
    pub key_value: usize,
    /// Elements of a head.
    pub dim: usize,
}

impl Heads {
    /// Elements of a row of `qkv`.
    #[must_use]
    pub const fn row(self) -> usize {
        (self.query + 2 * self.key_value) * self.dim
    }

    /// Elements of a row of the output.
    #[must_use]
    pub const fn out_row(self) -> usize {
        self.query * self.dim
    }

    /// Heads that turn with their position: those of queries and keys.
    #[must_use]
    pub const fn turned(self) -> usize {
        self.query + self.key_value
    }

    /// Elements of the keys and values of a row.
    const fn kv_row(self) -> usize {
        2 * self.key_value * self.dim
    }

    /// Where the key and the value of a query head start in a row of keys and values.
    const fn key_and_value(self, head: usize) -> (usize, usize) {
        let shared = head / (self.query / self.key_value);
        (shared * self.dim, (self.key_value + shared) * self.dim)
    }

    fn scale(self) -> f32 {
        1.0 / (self.dim as f32).sqrt()
    }

    /// Elements of the probabilities that [`forward`] keeps for `sequences`.
    pub fn probabilities(self, sequences: &[Sequence]) -> usize {
        sequences
            .iter()
            .map(|sequence| self.query * sequence.rows.len() * sequence.len())
            .sum()
    }
}

/// Rows of a packed batch that see each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Earlier rows that all rows of this sequence see; empty for a sequence that stands alone.
    pub prefix: Range<usize>,
    /// The sequence's own rows.
    pub rows: Range<usize>,
}

impl Sequence {
    /// Rows that its last row sees.
    #[must_use]
    pub fn len(&self) -> usize {
        self.prefix.len() + self.rows.len()
    }

    /// Whether it has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies keys and values of all seen rows to `kv`, one after the other.
    fn gather(&self, heads: Heads, qkv: &[f32], kv: &mut [f32]) {
        let (stride, skip) = (heads.row(), heads.out_row());
        let seen = self.prefix.clone().chain(self.rows.clone());
        for (row, kv) in seen.zip(kv.chunks_exact_mut(heads.kv_row())) {
            kv.copy_from_slice(&qkv[row * stride + skip..(row + 1) * stride]);
        }
    }

    /// Adds `dkv`, laid out as by `gather`, to the keys and values of `dqkv`.
    fn scatter(&self, heads: Heads, dkv: &[f32], dqkv: &mut [f32]) {
        let (stride, skip) = (heads.row(), heads.out_row());
        let seen = self.prefix.clone().chain(self.rows.clone());
        for (row, dkv) in seen.zip(dkv.chunks_exact(heads.kv_row())) {
            simd::add(&mut dqkv[row * stride + skip..(row + 1) * stride], dkv);
        }
    }
}

fn longest(sequences: &[Sequence]) -> usize {
    sequences.iter().map(Sequence::len).max().unwrap_or(0)
}

/// Blocks of query rows of a sequence of `len` rows.
fn blocks(len: usize) -> impl Iterator<Item = Range<usize>> {
    (0..len)
        .step_by(BLOCK)
        .map(move |start| start..len.min(start + BLOCK))
}

/// Writes the attention's output to `out` and the probabilities (sequence by sequence, head by head, own rows x seen
/// rows) to `probabilities`. Of a row of probabilities, what lies behind its block's end is not written.
pub fn forward(
    heads: Heads,
    sequences: &[Sequence],
    qkv: &[f32],
    probabilities: &mut [f32],
    out: &mut [f32],
    pool: &Pool,
) {
    let (stride, out_stride, kv_stride) = (heads.row(), heads.out_row(), heads.kv_row());
    let mut kv = pool.take(longest(sequences) * kv_stride);
    let mut rest = probabilities;
    for sequence in sequences {
        let (rows, before, len) = (&sequence.rows, sequence.prefix.len(), sequence.len());
        sequence.gather(heads, qkv, &mut kv);
        let qkv = &qkv[rows.start * stride..rows.end * stride];
        let out = &mut out[rows.start * out_stride..rows.end * out_stride];
        for head in 0..heads.query {
            let (p, tail) = std::mem::take(&mut rest).split_at_mut(rows.len() * len);
            rest = tail;
            let (key, value) = heads.key_and_value(head);
            for block in blocks(rows.len()) {
                let (count, seen) = (block.len(), before + block.end);
                let p = &mut p[block.start * len..block.end * len];
                product(
                    MatrixMut::strided(p, count, seen, len),
                    heads.scale(),
                    Matrix::strided(
                        &qkv[block.start * stride + head * heads.dim..],
                        count,
                        heads.dim,
                        stride,
                    ),
                    Matrix::strided(&kv[key..], seen, heads.dim, kv_stride).t(),
                );
                causal_softmax(p, len, before + block.start + 1, seen);
                product(
                    MatrixMut::strided(
                        &mut out[block.start * out_stride + head * heads.dim..],
                        count,
                        heads.dim,
                        out_stride,
                    ),
                    1.0,
                    Matrix::strided(p, count, seen, len),
                    Matrix::strided(&kv[value..], seen, heads.dim, kv_stride),
                );
            }
        }
    }
}

vectorized! {
    /// Softmax of rows that are `stride` apart: row i over its first `first + i` elements, zero from there to `end`.
    pub fn causal_softmax(scores: &mut [f32], stride: usize, first: usize, end: usize) {
        for (row, seen) in scores.chunks_mut(stride).zip(first..) {
            let (seen, hidden) = row[..end].split_at_mut(seen);
            let largest = simd::max(seen);
            let sum = simd::exp_and_sum(seen, largest);
            simd::scale(seen, 1.0 / sum);
            hidden.fill(0.0);
        }
    }
}

/// Adds the gradient of `qkv` to `dqkv`, given `dout`, that of the output.
pub fn backward(
    heads: Heads,
    sequences: &[Sequence],
    qkv: &[f32],
    probabilities: &[f32],
    dout: &[f32],
    dqkv: &mut [f32],
    pool: &Pool,
) {
    let (stride, out_stride, kv_stride) = (heads.row(), heads.out_row(), heads.kv_row());
    let longest = longest(sequences);
    let mut scratch = pool.take(BLOCK * longest);
    let mut kv = pool.take(longest * kv_stride);
    let mut dkv = pool.take(longest * kv_stride);
    let mut rest = probabilities;
    for sequence in sequences {
        let (rows, before, len) = (&sequence.rows, sequence.prefix.len(), sequence.len());
        sequence.gather(heads, qkv, &mut kv);
        dkv[..len * kv_stride].fill(0.0);
        let qkv = &qkv[rows.start * stride..rows.end * stride];
        let dq = &mut dqkv[rows.start * stride..rows.end * stride];
        let dout = &dout[rows.start * out_stride..rows.end * out_stride];
        for head in 0..heads.query {
            let (p, tail) = rest.split_at(rows.len() * len);
            rest = tail;
            let (key, value) = heads.key_and_value(head);
            for block in blocks(rows.len()) {
                let (count, seen) = (block.len(), before + block.end);
                let p = &p[block.start * len..block.end * len];
                let query = block.start * stride + head * heads.dim;
                let p_view = Matrix::strided(p, count, seen, len);
                let dout = Matrix::strided(
                    &dout[block.start * out_stride + head * heads.dim..],
                    count,
                    heads.dim,
                    out_stride,
                );
                add_product(
                    MatrixMut::strided(&mut dkv[value..], seen, heads.dim, kv_stride),
                    1.0,
                    p_view.t(),
                    dout,
                );
                let ds = &mut scratch[..count * seen];
                product(
                    MatrixMut::new(ds, count, seen),
                    1.0,
                    dout,
                    Matrix::strided(&kv[value..], seen, heads.dim, kv_stride).t(),
                );
                softmax_backward(ds, seen, p, len);
                let ds = Matrix::new(ds, count, seen);
                add_product(
                    MatrixMut::strided(&mut dq[query..], count, heads.dim, stride),
                    heads.scale(),
                    ds,
                    Matrix::strided(&kv[key..], seen, heads.dim, kv_stride),
                );
                add_product(
                    MatrixMut::strided(&mut dkv[key..], seen, heads.dim, kv_stride),
                    heads.scale(),
                    ds.t(),
                    Matrix::strided(&qkv[query..], count, heads.dim, stride),
                );
            }
        }
        sequence.scatter(heads, &dkv, dqkv);
    }
}

vectorized! {
    /// ds = p · (dp − <dp, p>), row by row, in place of dp (rows of `seen`; rows of p are `len` apart).
    fn softmax_backward(ds: &mut [f32], seen: usize, p: &[f32], len: usize) {
        for (ds, p) in ds.chunks_exact_mut(seen).zip(p.chunks_exact(len)) {
            let p = &p[..seen];
            let mean = simd::dot(ds, p);
            for (d, p) in ds.iter_mut().zip(p) {
                *d = p * (*d - mean);
            }
        }
    }
}
