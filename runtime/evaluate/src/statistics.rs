//! The few figures that every table needs: proportions and means with an interval, and quantiles.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// A closed interval, in the unit of its quantity; that of a proportion as fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The 97.5 % point of the normal distribution: two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The Wilson score interval (95 %) of `successes` out of `trials`. Without trials it is everything, 0 to 1.
///
/// Unlike the textbook interval it stays inside 0 to 1 and is honest near the ends, where a good policy lives:
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
#[must_use]
pub fn wilson(successes: usize, trials: usize) -> Interval {
    if trials == 0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let z2 = Z * Z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    Interval {
        low: (centre - half).max(0.0),
        high: (centre + half).min(1.0),
    }
}

/// Resamples of a [`bootstrap`].
pub const RESAMPLES: usize = 10_000;

/// A mean and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its [`bootstrap`] interval.
    pub interval: Interval,
}

/// The mean of the groups' means, and its percentile bootstrap interval (95 %): every group is drawn anew from itself
/// [`RESAMPLES`] times. One group gives the plain mean. The draws have a fixed seed, so the same values give the same
/// interval on every machine. `None` without values; empty groups are left out.
///
/// B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
#[must_use]
pub fn bootstrap(groups: &[&[f64]]) -> Option<Mean> {
    let groups: Vec<&[f64]> = groups.iter().copied().filter(|g| !g.is_empty()).collect();
    if groups.is_empty() {
        return None;
    }
    let count = groups.len() as f64;
    let plain = |group: &&[f64]| group.iter().sum::<f64>() / group.len() as f64;
    let mean = groups.iter().map(plain).sum::<f64>() / count;
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = groups.iter().map(|group| {
                // 32 bits: the same draws on machines of every word size.
                let len = u32::try_from(group.len()).unwrap_or(u32::MAX);
                let draw = |_| group[rng.random_range(0..len) as usize];
                (0..len).map(draw).sum::<f64>() / f64::from(len)
            });
            drawn.sum::<f64>() / count
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    Some(Mean {
        mean,
        interval: Interval {
            low: quantile(&means, 0.025),
            high: quantile(&means, 0.975),
        },
    })
}

/// Mean and quantiles of one quantity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// How many values.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of some values; `None` when there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        if sorted.is_empty() {
            return None;
        }
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Self {
            count: sorted.len(),
            mean: sorted.iter().sum::<f64>() / sorted.len() as f64,
            p50: quantile(&sorted, 0.50),
            p95: quantile(&sorted, 0.95),
            p99: quantile(&sorted, 0.99),
            max: sorted[sorted.len() - 1],
        })
    }
}

/// The nearest-rank quantile of sorted values: the smallest value that at least the fraction `q` of them do not exceed.
/// It is always one of the values, never a mixture of two.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected numbers from Wilson's closed formula, evaluated in Python.
    #[test]
    fn wilson_matches_the_published_formula() {
        for (k, n, low, high) in [
            (131, 140, 0.882_342, 0.965_814),
            (0, 10, 0.0, 0.277_533),
            (10, 10, 0.722_467, 1.0),
            (1, 2, 0.094_531, 0.905_469),
        ] {
            let interval = wilson(k, n);
            assert!((interval.low - low).abs() < 1e-6, "{k}/{n}: {interval:?}");
            assert!((interval.high - high).abs() < 1e-6, "{k}/{n}: {interval:?}");
        }
        let nothing = wilson(0, 0);
        assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
    }

    /// The exact distribution of a resampled mean is known here: the number of drawn hundreds is binomial.
    #[test]
    fn bootstrap_of_a_coin_is_binomial() {
        let coin: Vec<f64> = (0..100).map(|n| if n < 30 { 100.0 } else { 0.0 }).collect();
        let found = bootstrap(&[&coin]).unwrap();
        assert_eq!(found.mean, 30.0);
        // scipy.stats.binom(100, 0.3).ppf([0.025, 0.975]) = 21, 39; the draws may miss it by one.
        assert!((found.interval.low - 21.0).abs() <= 1.0, "{found:?}");
        assert!((found.interval.high - 39.0).abs() <= 1.0, "{found:?}");
        assert_eq!(bootstrap(&[&coin]), Some(found));
    }

    #[test]
    fn bootstrap_of_groups_weighs_groups_alike() {
        let (large, small) = (vec![100.0; 90], vec![0.0; 10]);
        let found = bootstrap(&[&large, &small, &[]]).unwrap();
        // Nothing varies inside a group, so nothing varies.
        assert_eq!((found.mean, found.interval.low), (50.0, 50.0));
        assert_eq!(found.interval.high, 50.0);
        assert_eq!(bootstrap(&[&[]]), None);
        assert_eq!(bootstrap(&[]), None);
    }

    #[test]
    fn quantiles_are_nearest_rank() {
        let spread = Spread::of((1..=100).rev().map(f64::from)).unwrap();
        assert_eq!(spread.count, 100);
        assert_eq!(spread.mean, 50.5);
        assert_eq!(
            (spread.p50, spread.p95, spread.p99, spread.max),
            (50.0, 95.0, 99.0, 100.0)
        );
        let one = Spread::of([7.0]).unwrap();
        assert_eq!((one.p50, one.p95, one.p99), (7.0, 7.0, 7.0));
        assert_eq!(Spread::of([]), None);
    }
}
