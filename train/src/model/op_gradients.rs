//! The gradients of both fused operations, as candle's backward pass returns them, against finite differences in f64 of
//! the reference.

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use stride_firmware_config::level::PolicyLevel;

use super::architecture::Architecture;
use super::block::{Block, BlockContext, BlockShare};
use super::head::{HeadShare, LikelihoodHead};
use super::network::to_vec;
use super::packed::{LossWeights, PackedBatch};
use super::reference;
use super::shape::ModelShape;
use super::sum::{GradientSum, Share};
use crate::testing::{agree, wide};
use crate::tokens::Sample;

/// Of the largest difference.
const TOLERANCE: f64 = 2e-5;

const VOCABULARY: usize = 11;

fn shape(architecture: Architecture) -> ModelShape {
    ModelShape {
        architecture,
        head_dim: (architecture == Architecture::Qwen3).then_some(8),
        hidden: 12,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        ffn: 10,
        max_positions: 16,
        ..ModelShape::default()
    }
}

/// Two samples that share nothing.
fn batch() -> Arc<PackedBatch> {
    let samples: Vec<Sample> = [(7_u32, 3), (6, 2)]
        .into_iter()
        .map(|(len, frame_len)| Sample {
            level: PolicyLevel::Low,
            tokens: (0..len)
                .map(|i| (i * 5 + len) % VOCABULARY as u32)
                .collect(),
            frame_len,
            head_len: 0,
            weight: 1.0,
        })
        .collect();
    Arc::new(PackedBatch::new(&samples, &LossWeights::UTTERANCE))
}

fn numbers(count: usize, salt: f64) -> Vec<f32> {
    (0..count)
        .map(|i| (((i as f64 + 0.9) * (salt + 0.61)).sin() * 0.8) as f32)
        .collect()
}

fn leaf(values: &[f32], dims: &[usize]) -> Var {
    Var::from_tensor(&Tensor::from_slice(values, dims, &Device::Cpu).unwrap()).unwrap()
}

/// What one piece has added to the tensors of a sum.
fn sums(sum: Arc<GradientSum>) -> Vec<Vec<f32>> {
    let mut sum = Arc::into_inner(sum).unwrap();
    sum.sums()
        .into_iter()
        .map(|tensor| tensor.to_vec())
        .collect()
}

#[test]
fn the_block_agrees_with_finite_differences() {
    for architecture in Architecture::ALL {
        check_block(&shape(architecture));
    }
}

fn check_block(shape: &ModelShape) {
    let batch = batch();
    let context = Arc::new(BlockContext::new(shape));
    let (n, h) = (batch.len(), shape.hidden);
    let x = numbers(n * h, 0.1);
    let weights = numbers(context.layout.len(), 0.3);
    let coefficients = numbers(n * h, 0.5);
    let (x_leaf, weights_leaf) = (leaf(&x, &[n, h]), leaf(&weights, &[weights.len()]));
    let lengths = context.layout.tensors().map(|range| range.len());
    let sum = Arc::new(GradientSum::new(lengths));
    let share = BlockShare {
        share: Share::new(Arc::clone(&sum), 0),
        first: 0,
    };
    let block = Block::new(context, Arc::clone(&batch), Some(share));
    let out = x_leaf.apply_op2(&weights_leaf, block).unwrap();
    let loss = (out * leaf(&coefficients, &[n, h]).as_tensor()).unwrap();
    let gradients = loss.sum_all().unwrap().backward().unwrap();
    drop(loss);

    let value = |x: &[f64], weights: &[f64]| -> f64 {
        let weights = Tensor::from_slice(weights, weights.len(), &Device::Cpu).unwrap();
        let sequences = batch.sequences.iter().map(|sequence| {
            let rows = &sequence.rows;
            let x = &x[rows.start * h..rows.end * h];
            let x = Tensor::from_slice(x, (rows.len(), h), &Device::Cpu).unwrap();
            let out = reference::block(&x, &weights, shape).unwrap();
            let out: Vec<f64> = out.flatten_all().unwrap().to_vec1().unwrap();
            let coefficients = &coefficients[rows.start * h..rows.end * h];
            let products = out.iter().zip(coefficients);
            products.map(|(o, c)| o * f64::from(*c)).sum::<f64>()
        });
        sequences.sum()
    };
    let (wide_x, wide_weights) = (wide(&x), wide(&weights));
    let found = to_vec(gradients.get(&x_leaf).unwrap()).unwrap();
    drop(gradients);
    agree("x", &x, &found, TOLERANCE, &|x| value(x, &wide_weights));
    let found = sums(sum).concat();
    agree("weights", &weights, &found, TOLERANCE, &|w| {
        value(&wide_x, w)
    });
}

#[test]
fn the_head_agrees_with_finite_differences() {
    let (shape, batch) = (shape(Architecture::Llama), batch());
    let context = Arc::new(BlockContext::new(&shape));
    let (n, h) = (batch.len(), shape.hidden);
    let arguments = [
        numbers(n * h, 0.2),
        numbers(h, 0.4),
        numbers(VOCABULARY * h, 0.6),
    ];
    let coefficients = numbers(batch.asked.rows.len(), 0.8);
    let [x, norm, output] = &arguments;
    let leaves = [
        leaf(x, &[n, h]),
        leaf(norm, &[h]),
        leaf(output, &[VOCABULARY, h]),
    ];
    let sum = Arc::new(GradientSum::new([h, VOCABULARY * h]));
    let share = HeadShare {
        share: Share::new(Arc::clone(&sum), 0),
        norm: 0,
        output: 1,
    };
    let head = LikelihoodHead::new(context, Arc::clone(&batch), Some(share));
    let nll = leaves[0].apply_op3(&leaves[1], &leaves[2], head).unwrap();
    let loss = (nll * leaf(&coefficients, &[coefficients.len()]).as_tensor()).unwrap();
    let gradients = loss.sum_all().unwrap().backward().unwrap();
    drop(loss);
    let mut found = vec![to_vec(gradients.get(&leaves[0]).unwrap()).unwrap()];
    // Gradients remember how they were made, and with it the operation that shares the sum.
    drop(gradients);
    found.extend(sums(sum));

    let value = |[x, norm, output]: [&[f64]; 3]| -> f64 {
        let asked = &batch.asked;
        let rows = asked.rows.iter().zip(&asked.targets).zip(&coefficients);
        rows.map(|((row, target), coefficient)| {
            let row = &x[*row as usize * h..][..h];
            let mean = row.iter().map(|v| v * v).sum::<f64>() / h as f64;
            let scale = 1.0 / (mean + shape.rms_norm_eps).sqrt();
            let logits: Vec<f64> = output
                .chunks(h)
                .map(|o| {
                    let products = row.iter().zip(norm).zip(o);
                    products.map(|((v, n), o)| v * scale * n * o).sum()
                })
                .collect();
            let sum: f64 = logits.iter().map(|l| l.exp()).sum();
            f64::from(*coefficient) * (sum.ln() - logits[*target as usize])
        })
        .sum()
    };
    let exact = [wide(x), wide(norm), wide(output)];
    for (i, name) in ["x", "norm", "output"].into_iter().enumerate() {
        agree(name, &arguments[i], &found[i], TOLERANCE, &|moved| {
            let mut all: [&[f64]; 3] = [&exact[0], &exact[1], &exact[2]];
            all[i] = moved;
            value(all)
        });
    }
}
