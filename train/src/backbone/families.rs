//! Small networks of every architecture against transformers: logits, loss and gradients, frozen by `tests/data/families.py`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use stride_firmware_config::level::PolicyLevel;

use super::config;
use crate::model::decoder::Decoder;
use crate::model::network::Network;
use crate::model::packed::{LossWeights, PackedBatch};
use crate::model::parameters::ParameterLayout;
use crate::tensors::{self, Named};
use crate::tokens::Sample;

#[derive(Deserialize)]
struct Case {
    config: Value,
    shapes: Vec<(String, Vec<usize>)>,
    tokens: Vec<u32>,
    logits: Vec<Vec<f32>>,
    loss: f64,
    /// Length, first, middle and last element of every tensor's gradient.
    gradients: BTreeMap<String, [f64; 4]>,
}

/// Numbers in [-1, 1) with 16 bits, which look like chance: those of the places from `start` on, as `families.py` makes them.
fn weights(start: usize, count: usize) -> impl Iterator<Item = f32> {
    (start..start + count).map(|place| {
        let mut x = (place as u32).wrapping_mul(0x9E37_79B1);
        x = (x ^ (x >> 15)).wrapping_mul(0x85EB_CA77);
        x ^= x >> 13;
        (x >> 16) as f32 / 32768.0 - 1.0
    })
}

/// The folder that transformers would have saved, read as a pretrained network is.
fn network(case: &Case) -> (Network, Vec<f32>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), case.config.to_string()).unwrap();
    let mut start = 0;
    let mut values = Vec::new();
    for (name, shape) in &case.shapes {
        let count = shape.iter().product();
        let shift = if shape.len() == 2 || name.ends_with(".bias") {
            0.0
        } else {
            1.0
        };
        let tensor: Vec<f32> = weights(start, count).map(|w| shift + 0.5 * w).collect();
        values.push(tensor);
        start += count;
    }
    let named = case.shapes.iter().zip(&values);
    let named = named.map(|((name, shape), values)| {
        let shape = shape.clone();
        (name.clone(), Named { shape, values })
    });
    tensors::write_named(&folder.path().join(tensors::WHOLE), named.collect()).unwrap();
    let config = config::read(folder.path()).unwrap();
    let layout = ParameterLayout::new(&config.shape(64), config.rows);
    assert_eq!(
        layout.tensors().len(),
        case.shapes.len(),
        "no tensor of theirs is left out"
    );
    let flat = tensors::read(folder.path(), &layout, &layout).unwrap();
    (Network::new(layout), flat)
}

fn cases() -> BTreeMap<String, Case> {
    serde_json::from_str(include_str!("../../tests/data/families.json")).unwrap()
}

#[test]
fn the_decoder_computes_the_logits_of_transformers() {
    for (name, case) in cases() {
        let (network, flat) = network(&case);
        let mut decoder = Decoder::new(network, flat);
        for (at, expected) in case.logits.iter().enumerate() {
            let found = decoder.extend(&case.tokens[at..=at]).unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{name}, token {at}: {found} against {expected}"
                );
            }
        }
    }
}

#[test]
fn training_computes_the_loss_and_the_gradient_of_transformers() {
    for (name, case) in cases() {
        let (network, flat) = network(&case);
        let sample = Sample {
            level: PolicyLevel::Low,
            frame_len: 1,
            head_len: 0,
            weight: 1.0,
            tokens: case.tokens.clone(),
        };
        let batch = Arc::new(PackedBatch::new([&sample], &LossWeights::UTTERANCE));
        let asked = case.tokens.len() - 1;
        let weights = network.weights(&flat).unwrap();
        let sum = Arc::new(network.gradient_sum());
        let nll = network
            .add_gradient(&weights, &batch, 1.0 / asked as f64, &sum, 0)
            .unwrap()
            .nll;
        assert_eq!(nll.len(), asked);
        let loss = nll.iter().map(|nll| f64::from(*nll)).sum::<f64>() / asked as f64;
        assert!((loss - case.loss).abs() < 1e-5, "{name}: {loss}");
        let mut sum = Arc::into_inner(sum).unwrap();
        let gradient = network.gradient(&mut sum).concat();
        for tensor in network.layout().tensors() {
            let found = &gradient[tensor.range.clone()];
            let [norm, rest @ ..] = case.gradients[&tensor.name];
            let length = found.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
            assert!(
                (length.sqrt() - norm).abs() < 1e-5 * (1.0 + norm),
                "{name} {}: {} against {norm}",
                tensor.name,
                length.sqrt()
            );
            let places = [0, found.len() / 2, found.len() - 1];
            for (place, expected) in places.into_iter().zip(rest) {
                assert!(
                    (f64::from(found[place]) - expected).abs() < 1e-5 * (1.0 + norm),
                    "{name} {}[{place}]: {} against {expected}",
                    tensor.name,
                    found[place]
                );
            }
        }
    }
}
