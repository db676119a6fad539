//! What the critics found, as JSON Lines in the run's folder.

use serde::{Deserialize, Serialize};

/// The file in the run's folder.
pub const CRITICS: &str = "critics.jsonl";

/// Edges of the histogram of advantages: bins of a tenth, and what lies beyond on either side.
const FIRST_EDGE: f64 = -1.0;
const BIN: f64 = 0.1;
const BINS: usize = 20;

/// One line. Levels stand in the order high, low, progress; `null` stands for a level without transitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// Means over the steps since the last such line.
    Train {
        /// Optimizer steps done.
        step: u64,
        /// Expectile loss of V.
        value_loss: [Option<f64>; 3],
        /// Squared error of Q.
        action_loss: [Option<f64>; 3],
    },
    /// What the trained critics say about all transitions.
    Advantages {
        /// Optimizer steps done.
        step: u64,
        /// By level.
        levels: Box<[Option<LevelReport>; 3]>,
    },
}

/// What a level's critics say about all its transitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelReport {
    /// Transitions that got a weight by their advantage.
    pub rows: usize,
    /// Of these, transitions that the critics learnt from.
    pub learnt: usize,
    /// Root of the mean squared error of Q on the latter.
    pub error: f64,
    /// Mean V.
    pub value: f64,
    /// Mean Q.
    pub action: f64,
    /// Advantages.
    pub advantage: Spread,
    /// Mean advantage by how the episode ended: success, failure, truncated.
    pub by_end: [Option<f64>; 3],
    /// Weights.
    pub weight: Spread,
    /// Share of the weights that were clipped.
    pub clipped: f64,
    /// Transitions by advantage: below −1, twenty bins of a tenth, 1 and above.
    pub histogram: Vec<u64>,
}

/// How numbers spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Smallest, 10 %, 25 %, median, 75 %, 90 %, largest (nearest rank).
    pub quantiles: [f64; 7],
}

impl Spread {
    /// The spread of some numbers; `None` of none.
    #[must_use]
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let rank = |share: f64| sorted[(share * last as f64).round() as usize];
        Some(Self {
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            quantiles: [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0].map(rank),
        })
    }
}

/// Counts numbers by bin.
#[must_use]
pub fn histogram(numbers: &[f64]) -> Vec<u64> {
    let mut bins = vec![0; BINS + 2];
    for number in numbers {
        let at = ((number - FIRST_EDGE) / BIN).floor() + 1.0;
        bins[at.clamp(0.0, (BINS + 1) as f64) as usize] += 1;
    }
    bins
}

/// All lines as text.
#[must_use]
pub fn text(lines: &[Line]) -> String {
    lines
        .iter()
        .map(|line| serde_json::to_string(line).expect("metrics are plain data") + "\n")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_into_their_bins() {
        let bins = histogram(&[-7.0, -1.0, -0.95, 0.04, 0.05, 0.95, 1.0, 3.0]);
        assert_eq!(bins.iter().sum::<u64>(), 8);
        assert_eq!(
            (bins[0], bins[1], bins[11], bins[20], bins[21]),
            (1, 2, 2, 1, 2)
        );
    }

    #[test]
    fn quantiles_are_numbers_that_occur() {
        let spread = Spread::of(&[3.0, 1.0, 2.0, 4.0, 5.0]).unwrap();
        assert_eq!(spread.mean, 3.0);
        assert_eq!(spread.quantiles, [1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0]);
        assert_eq!(Spread::of(&[]), None);
    }
}
