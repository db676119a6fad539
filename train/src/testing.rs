//! For tests: synthetic transitions, a copying task in the shape of a low-level decision; gradients against differences.

use stride_agent::transition::{EndKind, FrameText, Source, Transition};

/// A transition that is a function of `seed`: the answer names the instance seen in the observation.
pub(crate) fn transition(seed: u64) -> Transition {
    let pick = |salt: u64, modulus: u64| {
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(salt.wrapping_mul(0xBF58_476D_1CE4_E5B9))
            .rotate_left(29)
            .wrapping_mul(0x94D0_49BB_1331_11EB)
            % modulus
    };
    let objects = ["mug", "apple", "book", "egg", "key"];
    let places = ["shelf", "desk", "drawer", "table"];
    let object = objects[pick(1, 5) as usize];
    let place = places[pick(2, 4) as usize];
    let (number, spot) = (pick(3, 30) + 1, pick(4, 30) + 1);
    Transition {
        game: format!("test:{}", seed / 10),
        subtask_index: 0,
        step_index: u32::try_from(seed % 10).unwrap_or(0),
        state: FrameText::Low {
            scene: format!("a {place} {spot}, a {place} {}, and a bin 1", pick(5, 30)),
            observation: format!("On the {place} {spot}, you see a {object} {number}."),
            subtask: format!("take the {object}"),
            progress: String::new(),
        },
        utterance: format!("take {object} {number} from {place} {spot}; True"),
        reward: 0.0,
        span: 1,
        done: false,
        next: None,
        source: Source::Expert,
        end: EndKind::Success,
    }
}

/// The same numbers in f64.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Compares `found`, the f32 gradient at `at`, with central differences of `value` in f64, which it may differ from by
/// `tolerance` of the largest.
pub(crate) fn agree(
    what: &str,
    at: &[f32],
    found: &[f32],
    tolerance: f64,
    value: &dyn Fn(&[f64]) -> f64,
) {
    const STEP: f64 = 1e-5;
    assert_eq!(at.len(), found.len(), "{what}");
    let exact = wide(at);
    let differences: Vec<f64> = (0..at.len())
        .map(|i| {
            let moved = |by: f64| {
                let mut moved = exact.clone();
                moved[i] += by;
                value(&moved)
            };
            (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
        })
        .collect();
    let largest = differences.iter().fold(0.0_f64, |m, d| m.max(d.abs()));
    assert!(largest > 1e-3, "{what}: nothing depends on it");
    for (i, (found, exact)) in found.iter().zip(&differences).enumerate() {
        let error = (f64::from(*found) - exact).abs();
        assert!(
            error < tolerance * largest,
            "{what}[{i}]: {found} against {exact} (largest {largest})"
        );
    }
}
