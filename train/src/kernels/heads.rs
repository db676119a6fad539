//! What stands between the product of queries, keys and values and their turning, where there is anything: a bias on every row, a norm over
//! every head of queries and keys. And the gradients.

use super::attention::Heads;
use super::norm;
use super::pool::{Buffer, Pool};
use super::simd::vectorized;

vectorized! {
    /// Adds `bias` to every row.
    pub fn add_bias(rows: &mut [f32], bias: &[f32]) {
        for row in rows.chunks_exact_mut(bias.len()) {
            for (value, bias) in row.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    }
}

vectorized! {
    /// Adds the gradient of the bias to `dbias`, given `drows`, that of the rows.
    pub fn bias_backward(drows: &[f32], dbias: &mut [f32]) {
        for row in drows.chunks_exact(dbias.len()) {
            for (sum, value) in dbias.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
}

/// What the gradient needs of the norms.
#[derive(Debug)]
pub struct Kept {
    /// Queries and keys before the norms, rows x (query + key heads)·d.
    before: Buffer,
    /// 1 / rms of every head.
    inverse_rms: Buffer,
}

/// Normalizes every head of queries and keys in `qkv`. `weights` are those of the queries' norm and those of the keys' (d each).
pub fn normalize(heads: Heads, weights: &[f32], eps: f32, qkv: &mut [f32], pool: &Pool) -> Kept {
    let (count, queries) = (heads.turned(), heads.query * heads.dim);
    let width = count * heads.dim;
    let rows = qkv.len() / heads.row();
    let mut before = pool.take(rows * width);
    let mut inverse_rms = pool.take(rows * count);
    let (query_weight, key_weight) = weights.split_at(heads.dim);
    for ((row, before), inverse) in qkv
        .chunks_exact_mut(heads.row())
        .zip(before.chunks_exact_mut(width))
        .zip(inverse_rms.chunks_exact_mut(count))
    {
        let row = &mut row[..width];
        before.copy_from_slice(row);
        let (q, k) = row.split_at_mut(queries);
        let (q_before, k_before) = before.split_at(queries);
        let (q_inverse, k_inverse) = inverse.split_at_mut(heads.query);
        norm::forward(q_before, query_weight, eps, q, q_inverse);
        norm::forward(k_before, key_weight, eps, k, k_inverse);
    }
    Kept {
        before,
        inverse_rms,
    }
}

/// Replaces the gradient of the normalized queries and keys in `dqkv` by that of what they were before, and adds the gradient of
/// the weights to `dweights`.
pub fn normalize_backward(
    heads: Heads,
    weights: &[f32],
    kept: &Kept,
    dqkv: &mut [f32],
    dweights: &mut [f32],
    pool: &Pool,
) {
    let (count, queries) = (heads.turned(), heads.query * heads.dim);
    let width = count * heads.dim;
    let mut dbefore = pool.take(width);
    let (query_weight, key_weight) = weights.split_at(heads.dim);
    let (query_sum, key_sum) = dweights.split_at_mut(heads.dim);
    for ((row, before), inverse) in dqkv
        .chunks_exact_mut(heads.row())
        .zip(kept.before.chunks_exact(width))
        .zip(kept.inverse_rms.chunks_exact(count))
    {
        let row = &mut row[..width];
        dbefore.fill(0.0);
        let (q_out, k_out) = dbefore.split_at_mut(queries);
        let (q, k) = before.split_at(queries);
        let (dq, dk) = row.split_at(queries);
        let (q_inverse, k_inverse) = inverse.split_at(heads.query);
        norm::backward(q, query_weight, q_inverse, dq, q_out, query_sum);
        norm::backward(k, key_weight, k_inverse, dk, k_out, key_sum);
        row.copy_from_slice(&dbefore);
    }
}
