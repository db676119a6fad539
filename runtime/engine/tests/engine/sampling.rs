//! Seeded runs repeat exactly.

use stride_agent::policy::Policy as _;
use stride_engine::{EngineOptions, PerLevel, Sampling};

use crate::common::{episode, exact, load};

fn said(options: &EngineOptions) -> Vec<String> {
    let mut policy = load(options.clone());
    episode(9, 6)
        .iter()
        .map(|frame| policy.utter(&frame.as_frame()).unwrap().text)
        .collect()
}

fn seeded(seed: u64, temperature: PerLevel<f32>) -> EngineOptions {
    EngineOptions {
        sampling: Sampling::Seeded { seed, temperature },
        ..exact()
    }
}

#[test]
fn a_seed_repeats_and_another_differs() {
    let one = said(&seeded(1, PerLevel::all(1.0)));
    assert_eq!(one, said(&seeded(1, PerLevel::all(1.0))));
    assert_ne!(one, said(&seeded(2, PerLevel::all(1.0))));
    assert_ne!(one, said(&exact()));
}

#[test]
fn temperature_zero_is_greedy() {
    assert_eq!(said(&seeded(1, PerLevel::all(0.0))), said(&exact()));
}

#[test]
fn greedy_repeats() {
    assert_eq!(said(&exact()), said(&exact()));
}
