//! Every gradient below the fused operations against finite differences in f64 of its definition, written out again here
//! without a thought for speed.

use super::attention::{self, Heads, Sequence};
use super::pool::Pool;
use super::rope::RopeTable;
use super::{heads, norm, softmax, swiglu};
use crate::testing::{agree, wide};

/// Of the largest difference.
const TOLERANCE: f64 = 1e-5;

/// Numbers that follow no pattern a kernel could exploit, in about (-1, 1).
fn numbers(count: usize, salt: f64) -> Vec<f32> {
    (0..count)
        .map(|i| (((i as f64 + 1.7) * (salt + 0.37)).sin() * 0.9) as f32)
        .collect()
}

fn weighted(values: &[f64], coefficients: &[f32]) -> f64 {
    values
        .iter()
        .zip(coefficients)
        .map(|(v, c)| v * f64::from(*c))
        .sum()
}

#[test]
fn norm_agrees() {
    const EPS: f64 = 1e-5;
    let (rows, width) = (3, 21);
    let (x, weight) = (numbers(rows * width, 0.1), numbers(width, 0.2));
    let coefficients = numbers(rows * width, 0.3);
    let value = |x: &[f64], weight: &[f64]| {
        let mut out = Vec::new();
        for row in x.chunks(width) {
            let mean = row.iter().map(|v| v * v).sum::<f64>() / width as f64;
            let scale = 1.0 / (mean + EPS).sqrt();
            out.extend(row.iter().zip(weight).map(|(v, w)| v * scale * w));
        }
        weighted(&out, &coefficients)
    };
    let (mut out, mut inverse) = (vec![0.0; x.len()], vec![0.0; rows]);
    norm::forward(&x, &weight, EPS as f32, &mut out, &mut inverse);
    // Both gradients are added to what is there.
    let (mut dx, mut dweight) = (vec![1.0; x.len()], vec![2.0; width]);
    norm::backward(&x, &weight, &inverse, &coefficients, &mut dx, &mut dweight);
    dx.iter_mut().for_each(|d| *d -= 1.0);
    dweight.iter_mut().for_each(|d| *d -= 2.0);
    let (wide_x, wide_weight) = (wide(&x), wide(&weight));
    agree("norm x", &x, &dx, TOLERANCE, &|x| value(x, &wide_weight));
    agree("norm weight", &weight, &dweight, TOLERANCE, &|w| {
        value(&wide_x, w)
    });
}

/// Two query heads, one key head, and a value head that is left alone.
#[test]
fn norms_over_heads_agree() {
    const EPS: f64 = 1e-5;
    let sizes = Heads {
        query: 2,
        key_value: 1,
        dim: 6,
    };
    let (rows, dim) = (3, sizes.dim);
    let (x, weights) = (numbers(rows * sizes.row(), 0.15), numbers(2 * dim, 0.25));
    let coefficients = numbers(x.len(), 0.35);
    let value = |x: &[f64], weights: &[f64]| {
        let mut out = Vec::new();
        for row in x.chunks(sizes.row()) {
            for (head, values) in row.chunks(dim).enumerate() {
                let weight = match head {
                    0 | 1 => &weights[..dim],
                    2 => &weights[dim..],
                    _ => {
                        out.extend(values);
                        continue;
                    }
                };
                let mean = values.iter().map(|v| v * v).sum::<f64>() / dim as f64;
                let scale = 1.0 / (mean + EPS).sqrt();
                out.extend(values.iter().zip(weight).map(|(v, w)| v * scale * w));
            }
        }
        weighted(&out, &coefficients)
    };
    let pool = Pool::default();
    let mut out = x.clone();
    let kept = heads::normalize(sizes, &weights, EPS as f32, &mut out, &pool);
    let (wide_x, wide_weights) = (wide(&x), wide(&weights));
    let found = weighted(&wide(&out), &coefficients);
    assert!((found - value(&wide_x, &wide_weights)).abs() < 1e-5);
    let mut dx = coefficients.clone();
    // That of the weights is added to what is there.
    let mut dweights = vec![2.0; weights.len()];
    heads::normalize_backward(sizes, &weights, &kept, &mut dx, &mut dweights, &pool);
    dweights.iter_mut().for_each(|d| *d -= 2.0);
    agree("heads x", &x, &dx, TOLERANCE, &|x| value(x, &wide_weights));
    agree("heads weights", &weights, &dweights, TOLERANCE, &|w| {
        value(&wide_x, w)
    });
}

#[test]
fn biases_agree() {
    let (rows, width) = (5, 13);
    let (x, bias) = (numbers(rows * width, 0.45), numbers(width, 0.55));
    let coefficients = numbers(rows * width, 0.65);
    let value = |bias: &[f64]| {
        let out: Vec<f64> = wide(&x)
            .chunks(width)
            .flat_map(|row| {
                let sums = row.iter().zip(bias).map(|(v, b)| v + b);
                sums.collect::<Vec<f64>>()
            })
            .collect();
        weighted(&out, &coefficients)
    };
    let mut out = x.clone();
    heads::add_bias(&mut out, &bias);
    let found = weighted(&wide(&out), &coefficients);
    assert!((found - value(&wide(&bias))).abs() < 1e-5);
    let mut dbias = vec![1.0; width];
    heads::bias_backward(&coefficients, &mut dbias);
    dbias.iter_mut().for_each(|d| *d -= 1.0);
    agree("bias", &bias, &dbias, TOLERANCE, &value);
}

#[test]
fn swiglu_agrees() {
    let (rows, width) = (3, 19);
    let mut gate_up = numbers(rows * 2 * width, 0.4);
    gate_up.iter_mut().for_each(|v| *v *= 4.0);
    let coefficients = numbers(rows * width, 0.5);
    let mut gradient = gate_up.clone();
    swiglu::backward_in_place(&mut gradient, width, &coefficients);
    agree("swiglu", &gate_up, &gradient, TOLERANCE, &|gate_up| {
        let mut out = Vec::new();
        for row in gate_up.chunks(2 * width) {
            let (gate, up) = row.split_at(width);
            out.extend(gate.iter().zip(up).map(|(g, u)| g / (1.0 + (-g).exp()) * u));
        }
        weighted(&out, &coefficients)
    });
}

#[test]
fn likelihood_agrees() {
    let (rows, vocabulary) = (4, 37);
    let mut logits = numbers(rows * vocabulary, 0.6);
    logits.iter_mut().for_each(|v| *v *= 5.0);
    let targets = [3_u32, 36, 0, 17];
    let coefficients = numbers(rows, 0.7);
    let mut gradient = logits.clone();
    let (mut nll, mut greedy) = (vec![0.0; rows], vec![false; rows]);
    softmax::likelihood(&mut gradient, vocabulary, &targets, &mut nll, &mut greedy);
    softmax::likelihood_backward(&mut gradient, vocabulary, &targets, &coefficients);
    agree("likelihood", &logits, &gradient, TOLERANCE, &|logits| {
        let nll: Vec<f64> = logits
            .chunks(vocabulary)
            .zip(targets)
            .map(|(row, target)| {
                row.iter().map(|v| v.exp()).sum::<f64>().ln() - row[target as usize]
            })
            .collect();
        weighted(&nll, &coefficients)
    });
}

#[test]
fn rope_agrees() {
    let (theta, dim, heads, stride) = (10_000.0, 6, 2, 15);
    let positions = [0_u32, 5, 11];
    let table = RopeTable::new(dim, theta, 12);
    let x = numbers(positions.len() * stride, 0.8);
    let coefficients = numbers(x.len(), 0.9);
    // The gradient of a turn is the turn back.
    let mut gradient = coefficients.clone();
    table.turn(&mut gradient, stride, heads, &positions, -1.0);
    agree("rope", &x, &gradient, TOLERANCE, &|x| {
        let mut out = x.to_vec();
        for (row, position) in out.chunks_mut(stride).zip(positions) {
            for head in row[..heads * dim].chunks_mut(dim) {
                for i in 0..dim / 2 {
                    let angle = f64::from(position) * theta.powf(-(2.0 * i as f64) / dim as f64);
                    let (a, b) = (head[i], head[i + dim / 2]);
                    head[i] = a * angle.cos() - b * angle.sin();
                    head[i + dim / 2] = b * angle.cos() + a * angle.sin();
                }
            }
        }
        weighted(&out, &coefficients)
    });
}

/// Attention written out: every query of every sequence over its prefix and its own rows up to itself.
fn attended(heads: Heads, sequences: &[Sequence], qkv: &[f64]) -> Vec<f64> {
    let (stride, dim) = (heads.row(), heads.dim);
    let rows = qkv.len() / stride;
    let mut out = vec![0.0; rows * heads.out_row()];
    for sequence in sequences {
        for row in sequence.rows.clone() {
            let seen: Vec<usize> = sequence
                .prefix
                .clone()
                .chain(sequence.rows.start..row + 1)
                .collect();
            for head in 0..heads.query {
                let shared = head * heads.key_value / heads.query;
                let query = &qkv[row * stride + head * dim..][..dim];
                let at = |row: usize, place: usize| &qkv[row * stride + place * dim..][..dim];
                let scores: Vec<f64> = seen
                    .iter()
                    .map(|other| {
                        let key = at(*other, heads.query + shared);
                        let dot: f64 = query.iter().zip(key).map(|(a, b)| a * b).sum();
                        (dot / (dim as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                let into = &mut out[row * heads.out_row() + head * dim..][..dim];
                for (other, score) in seen.iter().zip(scores) {
                    let value = at(*other, heads.query + heads.key_value + shared);
                    for (o, v) in into.iter_mut().zip(value) {
                        *o += score / total * v;
                    }
                }
            }
        }
    }
    out
}

#[test]
fn attention_agrees_alone_shared_and_past_a_block() {
    let heads = Heads {
        query: 4,
        key_value: 2,
        dim: 4,
    };
    // A sequence longer than a block of queries, and two that share a prefix.
    let sequences = [
        Sequence {
            prefix: 0..0,
            rows: 0..37,
        },
        Sequence {
            prefix: 0..0,
            rows: 37..42,
        },
        Sequence {
            prefix: 37..42,
            rows: 42..45,
        },
        Sequence {
            prefix: 37..42,
            rows: 45..47,
        },
    ];
    let rows = 47;
    let mut qkv = numbers(rows * heads.row(), 1.1);
    qkv.iter_mut().for_each(|v| *v *= 2.0);
    let coefficients = numbers(rows * heads.out_row(), 1.3);
    let pool = Pool::default();
    let mut probabilities = vec![0.0; heads.probabilities(&sequences)];
    let mut out = vec![0.0; coefficients.len()];
    attention::forward(heads, &sequences, &qkv, &mut probabilities, &mut out, &pool);
    let exact = attended(heads, &sequences, &wide(&qkv));
    for (o, e) in out.iter().zip(&exact) {
        assert!((f64::from(*o) - e).abs() < 1e-5, "{o} against {e}");
    }
    let mut gradient = vec![0.0; qkv.len()];
    attention::backward(
        heads,
        &sequences,
        &qkv,
        &probabilities,
        &coefficients,
        &mut gradient,
        &pool,
    );
    agree("attention", &qkv, &gradient, TOLERANCE, &|qkv| {
        weighted(&attended(heads, &sequences, qkv), &coefficients)
    });
}
