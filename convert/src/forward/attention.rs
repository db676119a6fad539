//! Rotary positions and causal attention within every sequence of a batch.

use rayon::prelude::*;

use super::network::{Network, Rotation};

/// Turns every head of `rows` (rows of `width` values) by its position in its sequence.
pub(super) fn turn(network: &Network, rows: &mut [f32], width: usize, lengths: &[usize]) {
    let dim = network.head_dim;
    let positions: Vec<usize> = lengths.iter().flat_map(|&length| 0..length).collect();
    rows.par_chunks_exact_mut(width)
        .zip(&positions)
        .for_each(|(row, &position)| {
            // Angles are the same for every head of the row.
            let angles: Vec<(f32, f32)> = (0..dim / 2)
                .map(|j| {
                    let exponent = 2.0 * j as f64 / dim as f64;
                    let angle = position as f64 / f64::from(network.rope_theta).powf(exponent);
                    (angle.cos() as f32, angle.sin() as f32)
                })
                .collect();
            for head in row.chunks_exact_mut(dim) {
                for (j, &(cos, sin)) in angles.iter().enumerate() {
                    let (first, second) = match network.rotation {
                        Rotation::Halves => (j, j + dim / 2),
                        Rotation::Pairs => (2 * j, 2 * j + 1),
                    };
                    let (x, y) = (head[first], head[second]);
                    head[first] = x * cos - y * sin;
                    head[second] = y * cos + x * sin;
                }
            }
        });
}

/// What every query head sees of the values of its sequence, up to its own position.
pub(super) fn attend(
    network: &Network,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    lengths: &[usize],
) -> Vec<f32> {
    let (queries, key_values) = (network.queries(), network.key_values());
    let mut out = vec![0.0; q.len()];
    // Where the sequence of every row starts, and where in it the row stands.
    let mut places = Vec::with_capacity(q.len() / queries);
    for &length in lengths {
        let start = places.len();
        places.extend((0..length).map(|at| (start, at)));
    }
    out.par_chunks_exact_mut(queries)
        .zip(q.par_chunks_exact(queries))
        .zip(&places)
        .for_each_init(Vec::new, |scores, ((out, q), &(start, at))| {
            let first = network
                .window
                .map_or(0, |window| (at + 1).saturating_sub(window));
            let seen = (start + first) * key_values..(start + at + 1) * key_values;
            let sight = Sight {
                keys: &k[seen.clone()],
                values: &v[seen],
                width: key_values,
            };
            let group = network.heads / network.kv_heads;
            for head in 0..network.heads {
                let part = head * network.head_dim..(head + 1) * network.head_dim;
                let shared = head / group * network.head_dim;
                sight.head(&q[part.clone()], shared, scores, &mut out[part]);
            }
        });
    out
}

/// The keys and values that one position sees.
struct Sight<'a> {
    keys: &'a [f32],
    values: &'a [f32],
    width: usize,
}

impl Sight<'_> {
    /// One query head over the key head that starts at `shared`.
    fn head(&self, q: &[f32], shared: usize, scores: &mut Vec<f32>, out: &mut [f32]) {
        let dim = q.len();
        let scale = 1.0 / (dim as f32).sqrt();
        let keys = self.keys.chunks_exact(self.width);
        scores.clear();
        scores.extend(keys.map(|key| scale * dot(q, &key[shared..shared + dim])));
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for score in scores.iter_mut() {
            *score = (*score - largest).exp();
            sum += *score;
        }
        for (value, score) in self.values.chunks_exact(self.width).zip(scores.iter()) {
            let weight = score / sum;
            for (out, value) in out.iter_mut().zip(&value[shared..shared + dim]) {
                *out += weight * value;
            }
        }
    }
}

/// Eight sums at a time, which compilers turn into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, rest_a) = a.as_chunks::<8>();
    let (b, rest_b) = b.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for at in 0..8 {
            sums[at] += a[at] * b[at];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
