//! A network with adapters against the network that the two make together: the same loss, and gradients that agree with finite
//! differences in f64 of the reference.

use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::architecture::Architecture;
use super::network::Network;
use super::packed::{LossWeights, PackedBatch};
use super::parameters::{BlockLayout, ParameterLayout};
use super::reference::{self, VOCABULARY, WEIGHTS, flat_gradient, samples, shape, shapes};
use super::shape::ModelShape;
use crate::lora::config::{LoraConfig, Target};
use crate::lora::layout::AdapterLayout;

/// Tokens with trained rows: some occur in the samples as input and as target, and they are no neighbours.
const TOKENS: [u32; 3] = [3, 13, 20];

fn config(targets: &[Target]) -> LoraConfig {
    LoraConfig {
        r: 3,
        alpha: 4.5,
        dropout: 0.0,
        targets: targets.to_vec(),
    }
}

/// A network, its frozen weights, and trained ones that are all away from where they begin.
fn adapted(shape: &ModelShape, config: &LoraConfig) -> (Network, Vec<f32>, Vec<f32>) {
    let layout = ParameterLayout::new(shape, VOCABULARY);
    let base = reference::weights(&layout, 3);
    let adapters = AdapterLayout::new(layout.shape(), config, TOKENS.to_vec());
    let network = Network::adapted(layout, &base, adapters).unwrap();
    let mut flat = network.begin_adapters(5).unwrap();
    for (i, weight) in flat.iter_mut().enumerate() {
        *weight += ((i as f32 + 0.7) * 1.37).sin() * 0.1;
    }
    (network, base, flat)
}

/// Base and adapters together in f64, by the definition.
fn merged(network: &Network, base: &[f32], flat: &[f64]) -> Vec<f64> {
    let layout = network.layout();
    let adapters = network.adapters().unwrap();
    let mut whole: Vec<f64> = base.iter().map(|w| f64::from(*w)).collect();
    let fused = BlockLayout::new(layout.shape());
    let matrices = [fused.qkv, fused.out, fused.gate_up, fused.down];
    for (block, place) in layout.blocks().iter().enumerate() {
        for (index, matrix) in matrices.iter().enumerate() {
            let group = &adapters.groups[index];
            let values = &flat[adapters.group(block, index)];
            let mut downs = values[group.down()].chunks(group.rank * group.input);
            for (part, up) in group.ups() {
                let (up, down) = (&values[up], downs.next().unwrap());
                for (row, out) in part.columns.clone().enumerate() {
                    for column in 0..group.input {
                        let sum: f64 = (0..group.rank)
                            .map(|r| up[row * group.rank + r] * down[r * group.input + column])
                            .sum();
                        let at = place.start + matrix.start + out * group.input + column;
                        whole[at] += f64::from(adapters.scale) * sum;
                    }
                }
            }
        }
    }
    let hidden = layout.shape().hidden;
    for (start, rows) in [
        (layout.embedding().start, adapters.input_rows()),
        (layout.output().start, adapters.output_rows()),
    ] {
        for (token, row) in TOKENS.iter().zip(flat[rows].chunks(hidden)) {
            let at = start + *token as usize * hidden;
            whole[at..at + hidden].copy_from_slice(row);
        }
    }
    whole
}

#[test]
fn the_gradient_agrees_with_finite_differences() {
    const STEP: f64 = 1e-5;
    for shape in shapes() {
        let some = [Target::QProj, Target::VProj, Target::UpProj];
        let targets = if shape.tie_embeddings {
            Target::ALL.as_slice()
        } else {
            &some
        };
        let (network, base, flat) = adapted(&shape, &config(targets));
        let samples = &samples()[..2];
        let batch = PackedBatch::new(samples, &WEIGHTS);
        let (_, gradient) = flat_gradient(&network, &flat, std::slice::from_ref(&batch));
        let exact: Vec<f64> = flat.iter().map(|w| f64::from(*w)).collect();
        assert_eq!(gradient.len(), exact.len());
        let value = |at: usize, by: f64| -> f64 {
            let mut moved = exact.clone();
            moved[at] += by;
            let whole = Tensor::new(merged(&network, &base, &moved), &Device::Cpu).unwrap();
            let loss = reference::loss(network.layout(), &whole, samples, &WEIGHTS).unwrap();
            loss.to_scalar().unwrap()
        };
        let layout = network.adapters().unwrap();
        let mut tensors: Vec<(String, std::ops::Range<usize>)> = vec![
            ("rows of the embedding".into(), layout.input_rows()),
            ("rows of the output".into(), layout.output_rows()),
        ];
        for block in 0..layout.blocks() {
            for (index, group) in layout.groups.iter().enumerate() {
                let start = layout.group(block, index).start;
                let down = group.down();
                tensors.push((format!("{block}.{index} A"), start..start + down.end));
                for (part, up) in group.ups() {
                    let name = format!("{block} {} B", part.target.name());
                    tensors.push((name, start + up.start..start + up.end));
                }
            }
        }
        for (name, range) in tensors.into_iter().filter(|(_, range)| !range.is_empty()) {
            let largest = gradient[range.clone()]
                .iter()
                .fold(0.0_f64, |m, g| m.max(f64::from(*g).abs()));
            assert!(largest > 0.0, "{name} has no gradient");
            for at in range.clone().step_by(1 + range.len() / 9) {
                let numeric = (value(at, STEP) - value(at, -STEP)) / (2.0 * STEP);
                let error = (f64::from(gradient[at]) - numeric).abs();
                assert!(
                    error < 5e-5 * largest + 1e-7,
                    "{name}[{}]: {} against {numeric} (largest {largest})",
                    at - range.start,
                    gradient[at]
                );
            }
        }
    }
}

#[test]
fn base_and_adapters_are_one_network_when_merged() {
    for shape in shapes() {
        let (network, base, flat) = adapted(&shape, &config(&Target::ALL));
        let batch = Arc::new(PackedBatch::new(&samples(), &LossWeights::UTTERANCE));
        let nll = |network: &Network, flat: &[f32]| {
            let weights = network.weights(flat).unwrap();
            network.likelihoods(&weights, &batch).unwrap().nll
        };
        let beside = nll(&network, &flat);
        let (plain, whole) = network.merged(&flat).unwrap();
        for (a, b) in nll(&plain, &whole).iter().zip(&beside) {
            assert!((a - b).abs() < 1e-5, "{a} against {b}");
        }
        let exact: Vec<f64> = flat.iter().map(|w| f64::from(*w)).collect();
        for (a, b) in merged(&network, &base, &exact).iter().zip(&whole) {
            assert!((a - f64::from(*b)).abs() < 1e-6, "{a} against {b}");
        }
        // Adapters that begin add nothing, to the bit.
        let begun = network.begin_adapters(5).unwrap();
        assert_eq!(network.merged(&begun).unwrap().1, base);
        assert_ne!(nll(&plain, &base), beside);
    }
}

#[test]
fn activations_that_are_computed_again_are_the_same_bits() {
    let batch = PackedBatch::new(&samples(), &WEIGHTS);
    let batch = std::slice::from_ref(&batch);
    let bits = |network: &Network, flat: &[f32]| -> Vec<u32> {
        let (nll, gradient) = flat_gradient(network, flat, batch);
        nll.iter().chain(&gradient).map(|v| v.to_bits()).collect()
    };
    for shape in shapes() {
        let (network, base, flat) = adapted(&shape, &config(&Target::ALL));
        let again = network.clone().recomputing(true);
        assert_eq!(bits(&network, &flat), bits(&again, &flat));
        let whole = Network::new(network.layout().clone());
        let again = whole.clone().recomputing(true);
        assert_eq!(bits(&whole, &base), bits(&again, &base));
    }
}

#[test]
fn dropout_is_a_function_of_seed_step_and_piece_and_is_for_training_alone() {
    let config = LoraConfig {
        dropout: 0.3,
        ..config(&Target::ALL)
    };
    let (network, _, flat) = adapted(&shape(Architecture::Llama, true), &config);
    let batch = Arc::new(PackedBatch::new(&samples(), &WEIGHTS));
    let gradient = |seed: u64, step: u64, pieces: usize| {
        let weights = network.weights(&flat).unwrap().in_training(seed, step);
        let sum = Arc::new(network.gradient_sum());
        for piece in 0..pieces {
            network
                .add_gradient(&weights, &batch, 1.0, &sum, piece)
                .unwrap();
        }
        let mut sum = Arc::into_inner(sum).unwrap();
        network.gradient(&mut sum).concat()
    };
    let first = gradient(1, 7, 1);
    assert_eq!(first, gradient(1, 7, 1));
    for other in [gradient(2, 7, 1), gradient(1, 8, 1)] {
        assert_ne!(first, other);
    }
    // The second piece leaves out something else than the first.
    let twice: Vec<f32> = first.iter().map(|g| g * 2.0).collect();
    assert_ne!(gradient(1, 7, 2), twice);
    let plain = network.weights(&flat).unwrap();
    let training = network.weights(&flat).unwrap().in_training(1, 7);
    let nll = |weights| network.likelihoods(weights, &batch).unwrap().nll;
    assert_eq!(nll(&plain), nll(&training));
}
