//! From advantages to the weights of the actor's samples.

use stride_agent::transition::{EndKind, Source, Transition};

use super::config::{Weighing, WeightConfig};
use super::critics::Critics;
use super::features::Features;
use super::report::{LevelReport, Spread, histogram};
use super::rows::Rows;
use crate::data::is_held_out;
use crate::error::Result;

/// What the critics say about a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judgement {
    /// V(s).
    pub value: f64,
    /// Q(s, a).
    pub action: f64,
}

impl WeightConfig {
    /// exp(β·A), clipped: never negative, never above the clip.
    #[must_use]
    pub fn of_advantage(&self, advantage: f64) -> f64 {
        (self.beta * advantage).exp().min(self.clip)
    }

    /// The weight of every transition when no critics are asked.
    #[must_use]
    pub fn without_critics(&self, transitions: &[Transition]) -> Vec<f32> {
        let mut weights = self.anchors(transitions);
        for (weight, transition) in weights.iter_mut().zip(transitions) {
            if transition.source != Source::Relabelled {
                let counts = self.by == Weighing::Uniform || transition.end == EndKind::Success;
                *weight = f32::from(u8::from(counts));
            }
        }
        weights
    }

    /// The part of the weights that does not depend on how good an utterance was.
    fn anchors(&self, transitions: &[Transition]) -> Vec<f32> {
        let anchor = self.anchor as f32;
        transitions
            .iter()
            .map(|transition| match transition.source {
                Source::Expert => anchor,
                // By step, so that the calls of a step stay together.
                Source::Relabelled => {
                    let step = format!("{} {}", transition.game, transition.step_index);
                    if is_held_out(&step, self.anchor_share) {
                        anchor
                    } else {
                        0.0
                    }
                }
                Source::Policy => 0.0,
            })
            .collect()
    }
}

/// The weight of every transition by the critics' advantages, and what they found, by level.
///
/// # Errors
/// When candle fails.
pub fn by_advantage(
    config: &WeightConfig,
    transitions: &[Transition],
    rows: &Rows,
    features: &Features,
    critics: &Critics,
) -> Result<(Vec<f32>, [Option<LevelReport>; 3])> {
    let mut weights = config.anchors(transitions);
    let mut reports = [None, None, None];
    for (level, report) in reports.iter_mut().enumerate() {
        let all: Vec<usize> = (0..rows.rows.len())
            .filter(|index| rows.rows[*index].level == level)
            .collect();
        let learnable = rows.learnable(level);
        if learnable.is_empty() {
            // Nothing can be said about this level; it is cloned as it stands.
            for index in all {
                weights[rows.rows[index].transition] += 1.0;
            }
            continue;
        }
        let judged = judged(critics.judge(level, rows, features, &all)?);
        let targets = critics.targets(level, rows, features, &learnable)?;
        let learnt = self::judged(critics.judge(level, rows, features, &learnable)?);
        let squares = learnt
            .iter()
            .zip(&targets)
            .map(|(j, target)| (j.action - f64::from(*target)).powi(2));
        let error = (squares.sum::<f64>() / learnable.len() as f64).sqrt();
        let of_rows = weigh(config, &judged);
        for (index, weight) in all.iter().zip(&of_rows) {
            weights[rows.rows[*index].transition] += *weight as f32;
        }
        let ends: Vec<EndKind> = all
            .iter()
            .map(|index| transitions[rows.rows[*index].transition].end)
            .collect();
        *report = summary(config, &judged, &of_rows, &ends).map(|summary| LevelReport {
            learnt: learnable.len(),
            error,
            ..summary
        });
    }
    Ok((weights, reports))
}

fn judged(pairs: Vec<(f32, f32)>) -> Vec<Judgement> {
    pairs
        .into_iter()
        .map(|(value, action)| Judgement {
            value: value.into(),
            action: action.into(),
        })
        .collect()
}

/// The weights of a level's rows.
#[must_use]
pub fn weigh(config: &WeightConfig, judged: &[Judgement]) -> Vec<f64> {
    let mut weights: Vec<f64> = judged
        .iter()
        .map(|j| config.of_advantage(j.action - j.value))
        .collect();
    let mean = weights.iter().sum::<f64>() / weights.len().max(1) as f64;
    if config.normalise && mean > 0.0 {
        for weight in &mut weights {
            *weight /= mean;
        }
    }
    weights
}

fn summary(
    config: &WeightConfig,
    judged: &[Judgement],
    weights: &[f64],
    ends: &[EndKind],
) -> Option<LevelReport> {
    let advantages: Vec<f64> = judged.iter().map(|j| j.action - j.value).collect();
    let mean = |numbers: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = numbers.fold((0.0, 0_u64), |(sum, count), n| (sum + n, count + 1));
        (count > 0).then(|| sum / count as f64)
    };
    let clipped = advantages
        .iter()
        .filter(|a| (config.beta * **a).exp() > config.clip)
        .count();
    Some(LevelReport {
        rows: judged.len(),
        learnt: 0,
        error: 0.0,
        value: mean(&mut judged.iter().map(|j| j.value))?,
        action: mean(&mut judged.iter().map(|j| j.action))?,
        advantage: Spread::of(&advantages)?,
        by_end: [EndKind::Success, EndKind::Failure, EndKind::Truncated].map(|end| {
            let of_end = advantages.iter().zip(ends).filter(|(_, e)| **e == end);
            mean(&mut of_end.map(|(a, _)| *a))
        }),
        weight: Spread::of(weights)?,
        clipped: clipped as f64 / judged.len() as f64,
        histogram: histogram(&advantages),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn judgements() -> Vec<Judgement> {
        [-30.0, -1.0, -0.1, 0.0, 0.2, 1.0, 2.0, 700.0]
            .map(|advantage| Judgement {
                value: 0.25,
                action: 0.25 + advantage,
            })
            .to_vec()
    }

    #[test]
    fn weights_are_never_negative_and_never_above_the_clip() {
        let config = WeightConfig {
            normalise: false,
            ..WeightConfig::default()
        };
        let weights = weigh(&config, &judgements());
        assert!(
            weights.iter().all(|w| (0.0..=20.0).contains(w)),
            "{weights:?}"
        );
        assert!(weights.is_sorted());
        assert!((weights[3] - 1.0).abs() < 1e-12);
        assert!((weights[4] - 0.6_f64.exp()).abs() < 1e-9);
        assert_eq!(weights[7], 20.0);
        let normal = weigh(&WeightConfig::default(), &judgements());
        assert!((normal.iter().sum::<f64>() / 8.0 - 1.0).abs() < 1e-12);
        assert!((normal[4] / normal[3] - weights[4]).abs() < 1e-9);
    }

    #[test]
    fn baselines_weigh_by_the_end_alone_and_keep_the_anchor_of_labels() {
        let mut all: Vec<_> = (0..5).map(testing::transition).collect();
        all[1].source = Source::Policy;
        all[2].source = Source::Policy;
        all[2].end = EndKind::Truncated;
        all[3].source = Source::Relabelled;
        all[4].source = Source::Relabelled;
        all[4].end = EndKind::Failure;
        let mut lost = testing::transition(5);
        lost.source = Source::Expert;
        lost.end = EndKind::Truncated;
        all.push(lost);
        let config = |by, anchor| WeightConfig {
            by,
            anchor,
            ..WeightConfig::default()
        };
        let weights = |by, anchor| config(by, anchor).without_critics(&all);
        assert_eq!(
            weights(Weighing::Success, 0.5),
            [1.0, 1.0, 0.0, 0.5, 0.5, 0.0]
        );
        assert_eq!(
            weights(Weighing::Uniform, 0.0),
            [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]
        );
    }
}
