//! The same network as a composition of candle's differentiable operations, in f64: what the fused operations are
//! checked against. Its own gradients are checked against finite differences.

use std::sync::Arc;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use stride_firmware_config::level::PolicyLevel;

use super::architecture::Architecture;
use super::decoder::Decoder;
use super::network::Network;
use super::packed::{LossWeights, PackedBatch};
use super::parameters::{BlockLayout, ParameterLayout};
use super::shape::ModelShape;
use crate::tokens::Sample;

fn matrix(flat: &Tensor, range: std::ops::Range<usize>, cols: usize) -> Result<Tensor> {
    let rows = range.len() / cols;
    flat.narrow(0, range.start, range.len())?
        .reshape((rows, cols))
}

fn norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
    x.broadcast_div(&(mean + eps)?.sqrt()?)?
        .broadcast_mul(weight)
}

/// x is (heads, T, d).
fn rope(x: &Tensor, theta: f64) -> Result<Tensor> {
    let (_, len, dim) = x.dims3()?;
    let half = dim / 2;
    let angles: Vec<f64> = (0..len)
        .flat_map(|p| (0..half).map(move |i| p as f64 * theta.powf(-(2.0 * i as f64) / dim as f64)))
        .collect();
    let angles = Tensor::from_vec(angles, (len, half), &Device::Cpu)?;
    let (cos, sin) = (angles.cos()?, angles.sin()?);
    let (low, high) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
    let first = (low.broadcast_mul(&cos)? - high.broadcast_mul(&sin)?)?;
    let second = (high.broadcast_mul(&cos)? + low.broadcast_mul(&sin)?)?;
    Tensor::cat(&[first, second], 2)
}

/// One sequence through one block; `flat` holds all weights.
pub(super) fn block(x: &Tensor, flat: &Tensor, shape: &ModelShape) -> Result<Tensor> {
    let layout = BlockLayout::new(shape);
    let (len, h) = x.dims2()?;
    let heads = shape.attention();
    let vector = |range: std::ops::Range<usize>| flat.narrow(0, range.start, range.len());
    let normed = norm(x, &vector(layout.norm1)?, shape.rms_norm_eps)?;
    let mut qkv = normed.matmul(&matrix(flat, layout.qkv, h)?.t()?)?;
    if !layout.bias.is_empty() {
        qkv = qkv.broadcast_add(&vector(layout.bias)?)?;
    }
    let split = |start: usize, count: usize| -> Result<Tensor> {
        qkv.narrow(1, start * heads.dim, count * heads.dim)?
            .reshape((len, count, heads.dim))?
            .transpose(0, 1)?
            .contiguous()
    };
    // Over every head by itself: the last dimension is that of one head.
    let head_norm = |x: Tensor, at: usize| -> Result<Tensor> {
        if layout.head_norms.is_empty() {
            return Ok(x);
        }
        let weight = flat.narrow(0, layout.head_norms.start + at * heads.dim, heads.dim)?;
        norm(&x, &weight, shape.rms_norm_eps)
    };
    let q = head_norm(split(0, heads.query)?, 0)?;
    let k = head_norm(split(heads.query, heads.key_value)?, 1)?;
    let (q, k) = (rope(&q, shape.rope_theta)?, rope(&k, shape.rope_theta)?);
    let v = split(heads.query + heads.key_value, heads.key_value)?;
    let group = heads.query / heads.key_value;
    let repeat = |t: &Tensor| -> Result<Tensor> {
        let copies = vec![t.unsqueeze(1)?; group];
        Tensor::cat(&copies, 1)?.reshape((heads.query, len, heads.dim))
    };
    let scores =
        (q.matmul(&repeat(&k)?.transpose(1, 2)?.contiguous()?)? / (heads.dim as f64).sqrt())?;
    let mask: Vec<f64> = (0..len)
        .flat_map(|i| (0..len).map(move |j| if j > i { -1e9 } else { 0.0 }))
        .collect();
    let scores = scores.broadcast_add(&Tensor::from_vec(mask, (len, len), &Device::Cpu)?)?;
    let e = scores.broadcast_sub(&scores.max_keepdim(2)?)?.exp()?;
    let p = e.broadcast_div(&e.sum_keepdim(2)?)?;
    let attended = p
        .matmul(&repeat(&v)?)?
        .transpose(0, 1)?
        .reshape((len, heads.out_row()))?;
    let x = (x + attended.matmul(&matrix(flat, layout.out, heads.out_row())?.t()?)?)?;
    let normed = norm(&x, &vector(layout.norm2)?, shape.rms_norm_eps)?;
    let gate_up = normed.matmul(&matrix(flat, layout.gate_up, h)?.t()?)?;
    let gate = gate_up.narrow(1, 0, shape.ffn)?;
    let up = gate_up.narrow(1, shape.ffn, shape.ffn)?;
    let activated = (gate.silu()? * up)?;
    x + activated.matmul(&matrix(flat, layout.down, shape.ffn)?.t()?)?
}

/// Σ weight · nll over the samples, one by one.
pub(super) fn loss(
    layout: &ParameterLayout,
    flat: &Tensor,
    samples: &[Sample],
    weights: &LossWeights,
) -> Result<Tensor> {
    let shape = layout.shape();
    let mut total = Tensor::zeros((), DType::F64, &Device::Cpu)?;
    for sample in samples {
        let batch = PackedBatch::new([sample], weights);
        let embedding = matrix(flat, layout.embedding(), shape.hidden)?;
        let mut x =
            embedding.index_select(&Tensor::new(batch.inputs.as_slice(), &Device::Cpu)?, 0)?;
        for range in layout.blocks() {
            x = block(&x, &flat.narrow(0, range.start, range.len())?, shape)?;
        }
        let weight = flat.narrow(0, layout.norm().start, shape.hidden)?;
        let x = norm(&x, &weight, shape.rms_norm_eps)?;
        let x = x.index_select(&Tensor::new(batch.asked.rows.as_slice(), &Device::Cpu)?, 0)?;
        let logits = x.matmul(&matrix(flat, layout.output(), shape.hidden)?.t()?)?;
        let shifted = logits.broadcast_sub(&logits.max_keepdim(1)?)?;
        let logs = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(1)?.log()?)?;
        let targets = Tensor::new(batch.asked.targets.as_slice(), &Device::Cpu)?.unsqueeze(1)?;
        let picked = logs.gather(&targets, 1)?.squeeze(1)?;
        let coefficients = Tensor::new(batch.asked.weights.as_slice(), &Device::Cpu)?;
        let coefficients = coefficients.to_dtype(DType::F64)?;
        total = (total - (picked * coefficients)?.sum_all()?)?;
    }
    Ok(total)
}

pub(super) fn shape(architecture: Architecture, tie: bool) -> ModelShape {
    ModelShape {
        architecture,
        // Heads that are together wider than the stream, where llama.cpp allows it.
        head_dim: (architecture == Architecture::Qwen3).then_some(10),
        hidden: 24,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        ffn: 40,
        max_positions: 80,
        tie_embeddings: tie,
        init_std: 0.2,
        ..ModelShape::default()
    }
}

/// Every architecture, with its embedding tied and not.
pub(super) fn shapes() -> impl Iterator<Item = ModelShape> {
    let both = |architecture| [true, false].map(|tie| shape(architecture, tie));
    Architecture::ALL.into_iter().flat_map(both)
}

/// A network that has learnt something: its norms are not one, its biases not zero.
pub(super) fn weights(layout: &ParameterLayout, seed: u64) -> Vec<f32> {
    let mut flat = layout.initialize(seed);
    for tensor in layout.tensors().iter().filter(|tensor| tensor.is_vector()) {
        for (i, weight) in flat[tensor.range.clone()].iter_mut().enumerate() {
            *weight += (i as f32 * 2.3 + tensor.range.start as f32).sin() * 0.4;
        }
    }
    flat
}

pub(super) const VOCABULARY: usize = 31;

/// Samples of lengths around the attention's block size.
pub(super) fn samples() -> Vec<Sample> {
    [5_usize, 33, 34, 70, 12]
        .into_iter()
        .enumerate()
        .map(|(i, len)| Sample {
            level: PolicyLevel::ALL[i % 3],
            tokens: (0..len)
                .map(|t| u32::try_from((t * t * 7 + i * 13 + t) % VOCABULARY).unwrap())
                .collect(),
            frame_len: len * 2 / 3,
            head_len: 0,
            weight: 1.0,
        })
        .collect()
}

pub(super) const WEIGHTS: LossWeights = LossWeights {
    frame: 0.1,
    levels: [0.5, 1.0, 2.0],
};

/// Every −log p of some batches, and the gradient of their weighted sum as one flat vector.
pub(super) fn flat_gradient(
    network: &Network,
    flat: &[f32],
    batches: &[PackedBatch],
) -> (Vec<f32>, Vec<f32>) {
    let weights = network.weights(flat).unwrap();
    let sum = Arc::new(network.gradient_sum());
    let mut nll = Vec::new();
    for (piece, batch) in batches.iter().enumerate() {
        let batch = Arc::new(batch.clone());
        let found = network.add_gradient(&weights, &batch, 1.0, &sum, piece);
        nll.extend(found.unwrap().nll);
    }
    let mut sum = Arc::into_inner(sum).unwrap();
    (nll, network.gradient(&mut sum).concat())
}

fn fused(layout: &ParameterLayout, flat: &[f32], samples: &[Sample]) -> (f64, Vec<f32>) {
    let network = Network::new(layout.clone());
    let batch = PackedBatch::new(samples, &WEIGHTS);
    let (nll, gradient) = flat_gradient(&network, flat, std::slice::from_ref(&batch));
    let loss = nll
        .iter()
        .zip(&batch.asked.weights)
        .map(|(n, w)| f64::from(*n) * f64::from(*w))
        .sum();
    (loss, gradient)
}

fn reference(layout: &ParameterLayout, flat: &[f32], samples: &[Sample]) -> (f64, Vec<f64>) {
    let exact: Vec<f64> = flat.iter().map(|w| f64::from(*w)).collect();
    let var = Var::from_tensor(&Tensor::new(exact, &Device::Cpu).unwrap()).unwrap();
    let loss = loss(layout, var.as_tensor(), samples, &WEIGHTS).unwrap();
    let grads = loss.backward().unwrap();
    let gradient = grads.get(var.as_tensor()).unwrap().to_vec1().unwrap();
    (loss.to_scalar().unwrap(), gradient)
}

#[test]
fn the_reference_gradient_agrees_with_finite_differences() {
    for shape in shapes() {
        check_reference(&ParameterLayout::new(&shape, VOCABULARY));
    }
}

fn check_reference(layout: &ParameterLayout) {
    let flat = weights(layout, 3);
    let samples = &samples()[..2];
    let (_, gradient) = reference(layout, &flat, samples);
    let exact: Vec<f64> = flat.iter().map(|w| f64::from(*w)).collect();
    let value = |at: usize, by: f64| -> f64 {
        let mut moved = exact.clone();
        moved[at] += by;
        let flat = Tensor::new(moved, &Device::Cpu).unwrap();
        loss(layout, &flat, samples, &WEIGHTS)
            .unwrap()
            .to_scalar()
            .unwrap()
    };
    for tensor in layout.tensors() {
        for at in [
            tensor.range.start,
            (tensor.range.start + tensor.range.end) / 2,
        ] {
            let step = 1e-5;
            let numeric = (value(at, step) - value(at, -step)) / (2.0 * step);
            let error = (numeric - gradient[at]).abs();
            assert!(
                error < 1e-6 * (1.0 + numeric.abs()),
                "{}[{at}]: {numeric} against {}",
                tensor.name,
                gradient[at]
            );
        }
    }
}

#[test]
fn the_fused_gradient_agrees_with_the_reference() {
    for shape in shapes() {
        let layout = ParameterLayout::new(&shape, VOCABULARY);
        let flat = weights(&layout, 4);
        let (loss, gradient) = fused(&layout, &flat, &samples());
        let (exact_loss, exact) = reference(&layout, &flat, &samples());
        assert!((loss - exact_loss).abs() < 1e-5 * exact_loss.abs());
        for tensor in layout.tensors() {
            let range = tensor.range.clone();
            let size: f64 = exact[range.clone()]
                .iter()
                .map(|g| g * g)
                .sum::<f64>()
                .sqrt();
            let error: f64 = exact[range.clone()]
                .iter()
                .zip(&gradient[range])
                .map(|(e, g)| (e - f64::from(*g)).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!(size > 0.0, "{} has no gradient", tensor.name);
            assert!(error < 2e-5 * size, "{}: {error} of {size}", tensor.name);
        }
    }
}

#[test]
fn a_sample_has_the_same_loss_alone_and_in_any_batch() {
    for shape in shapes() {
        let layout = ParameterLayout::new(&shape, VOCABULARY);
        let flat = weights(&layout, 5);
        let network = Network::new(layout);
        let weights = network.weights(&flat).unwrap();
        let nll = |samples: &[Sample]| {
            let batch = Arc::new(PackedBatch::new(samples, &LossWeights::UTTERANCE));
            network.likelihoods(&weights, &batch).unwrap().nll
        };
        let samples = samples();
        let together = nll(&samples);
        let alone: Vec<f32> = samples
            .iter()
            .flat_map(|s| nll(std::slice::from_ref(s)))
            .collect();
        let backwards: Vec<Sample> = samples.iter().rev().cloned().collect();
        assert_eq!(together.len(), alone.len());
        for (a, b) in together.iter().zip(&alone) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        let total = |values: &[f32]| values.iter().map(|v| f64::from(*v)).sum::<f64>();
        assert!((total(&nll(&backwards)) - total(&together)).abs() < 1e-3);
    }
}

#[test]
fn tokens_without_weight_do_not_change_the_loss_of_others() {
    for shape in shapes() {
        let layout = ParameterLayout::new(&shape, VOCABULARY);
        let flat = weights(&layout, 6);
        let silent = LossWeights {
            frame: 0.0,
            levels: [1.0, 0.0, 1.0],
        };
        let network = Network::new(layout);
        let all = samples();
        let (_, gradient) = flat_gradient(&network, &flat, &[PackedBatch::new(&all, &silent)]);
        let heard: Vec<Sample> = all
            .into_iter()
            .filter(|s| s.level != PolicyLevel::Low)
            .collect();
        let (_, other) = flat_gradient(&network, &flat, &[PackedBatch::new(&heard, &silent)]);
        for (a, b) in gradient.iter().zip(&other) {
            assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "{a} {b}");
        }
    }
}

/// Method section 13: what stands behind an utterance, as padding would, changes neither its loss nor its gradient.
#[test]
fn padding_changes_nothing() {
    for shape in shapes() {
        let layout = ParameterLayout::new(&shape, VOCABULARY);
        let flat = weights(&layout, 6);
        let network = Network::new(layout);
        let batch = PackedBatch::new(&samples(), &WEIGHTS);
        let (nll, gradient) = flat_gradient(&network, &flat, std::slice::from_ref(&batch));
        for padding in [1, 9] {
            let mut padded = batch.clone();
            let (mut inputs, mut positions, mut rows) = (Vec::new(), Vec::new(), Vec::new());
            for sequence in &mut padded.sequences {
                let own = sequence.rows.clone();
                rows.extend(own.clone().zip(inputs.len() as u32..));
                sequence.rows = inputs.len()..inputs.len() + own.len() + padding;
                inputs.extend_from_slice(&batch.inputs[own.clone()]);
                positions.extend_from_slice(&batch.positions[own.clone()]);
                for i in 0..padding {
                    inputs.push(7);
                    positions.push(own.len().min(60) as u32 + i as u32);
                }
            }
            let moved: std::collections::HashMap<usize, u32> = rows.into_iter().collect();
            for row in &mut padded.asked.rows {
                *row = moved[&(*row as usize)];
            }
            (padded.inputs, padded.positions) = (inputs, positions);
            let (padded_nll, padded_gradient) =
                flat_gradient(&network, &flat, std::slice::from_ref(&padded));
            for (a, b) in nll.iter().zip(&padded_nll) {
                assert!((a - b).abs() < 1e-5, "{a} against {b}");
            }
            let largest = gradient.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
            for (a, b) in gradient.iter().zip(&padded_gradient) {
                assert!((a - b).abs() < 1e-5 * largest, "{a} against {b}");
            }
        }
    }
}

#[test]
fn the_decoder_says_what_the_network_says() {
    for shape in shapes() {
        let layout = ParameterLayout::new(&shape, VOCABULARY);
        let flat = weights(&layout, 7);
        let network = Network::new(layout);
        let mut decoder = Decoder::new(network.clone(), flat.clone());
        let weights = network.weights(&flat).unwrap();
        for sample in samples() {
            let batch = Arc::new(PackedBatch::new([&sample], &LossWeights::UTTERANCE));
            let nll = network.likelihoods(&weights, &batch).unwrap().nll;
            let (frame, said) = sample.tokens.split_at(sample.frame_len);
            let mut logits = decoder.prompt(frame).unwrap().0;
            for (token, nll) in said.iter().zip(nll) {
                let sum: f32 = logits.iter().map(|l| l.exp()).sum();
                let found = sum.ln() - logits[*token as usize];
                assert!((found - nll).abs() < 1e-4, "{found} {nll}");
                logits = decoder.extend(&[*token]).unwrap();
            }
        }
    }
}

#[test]
fn the_decoder_keeps_a_shared_prefix() {
    for shape in shapes() {
        let layout = ParameterLayout::new(&shape, VOCABULARY);
        let flat = weights(&layout, 8);
        let mut decoder = Decoder::new(Network::new(layout), flat);
        let (first, computed) = decoder.prompt(&[1, 2, 3, 4]).unwrap();
        assert_eq!(computed, 4);
        decoder.prompt(&[1, 2, 9]).unwrap();
        let (again, computed) = decoder.prompt(&[1, 2, 3, 4]).unwrap();
        assert_eq!(computed, 2);
        for (a, b) in first.iter().zip(&again) {
            assert!((a - b).abs() < 1e-5);
        }
        assert!(decoder.prompt(&[]).is_err());
        assert!(decoder.prompt(&[99]).is_err());
    }
}

#[test]
fn a_shared_head_changes_neither_loss_nor_gradient() {
    for shape in shapes() {
        let layout = ParameterLayout::new(&shape, VOCABULARY);
        let flat = weights(&layout, 5);
        let step: Vec<Sample> = samples()
            .into_iter()
            .map(|mut sample| {
                let head = (0..40_u32).map(|t| t * 3 % VOCABULARY as u32);
                sample.tokens.splice(..0, head);
                sample.tokens.truncate(shape.max_positions);
                sample.frame_len += 40;
                sample.frame_len = sample.frame_len.min(sample.tokens.len() - 2);
                sample.head_len = 40;
                sample
            })
            .collect();
        let network = Network::new(layout);
        let gradient = |batches: &[PackedBatch]| flat_gradient(&network, &flat, batches);
        let utterances = LossWeights::UTTERANCE;
        let shared = PackedBatch::new(&step, &utterances);
        let alone: Vec<_> = step
            .iter()
            .map(|s| PackedBatch::new([s], &utterances))
            .collect();
        assert_eq!(
            shared.len() + 40 * (step.len() - 1),
            alone.iter().map(PackedBatch::len).sum::<usize>()
        );
        let ((nll, together), (nll_alone, apart)) = (gradient(&[shared]), gradient(&alone));
        for (a, b) in nll.iter().zip(&nll_alone) {
            assert!((a - b).abs() < 1e-4, "{a} against {b}");
        }
        let largest = apart.iter().fold(0.0_f32, |m, g| m.max(g.abs()));
        for (a, b) in together.iter().zip(&apart) {
            assert!((a - b).abs() < 1e-4 * largest, "{a} against {b}");
        }
    }
}
