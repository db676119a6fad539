//! Which of a world's games are played.

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// A choice among games that stand in a stable order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Neighbours. ALFWorld's games are ordered by their path (so the first ones are of one or two task types),
    /// household games by their seed.
    Span {
        /// How many are left out before them.
        skip: usize,
        /// How many they are; fewer when there are not so many.
        count: usize,
    },
    /// A random sample without repetition; the same seed picks the same games on every machine.
    Sample {
        /// How many; all when there are not so many.
        count: usize,
        /// The seed.
        seed: u64,
    },
}

impl Selection {
    /// The chosen indices among `len` games, ascending.
    #[must_use]
    pub fn of(self, len: usize) -> Vec<usize> {
        match self {
            Self::Span { skip, count } => (0..len).skip(skip).take(count).collect(),
            Self::Sample { count, seed } => {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let mut chosen = index::sample(&mut rng, len, count.min(len)).into_vec();
                chosen.sort_unstable();
                chosen
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_in_order() {
        let span = |skip, count| Selection::Span { skip, count }.of(3);
        assert_eq!(span(0, 2), [0, 1]);
        assert_eq!(span(0, 9), [0, 1, 2]);
        assert_eq!(span(1, 1), [1]);
        assert_eq!(span(2, usize::MAX), [2]);
        assert!(span(3, 1).is_empty());
    }

    #[test]
    fn samples_repeat_and_differ_by_seed() {
        let sample = |count, seed| Selection::Sample { count, seed }.of(1000);
        let one = sample(20, 1);
        assert_eq!(one.len(), 20);
        assert!(one.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(one, sample(20, 1));
        assert_ne!(one, sample(20, 2));
        assert_eq!(Selection::Sample { count: 9, seed: 1 }.of(3), [0, 1, 2]);
    }
}
