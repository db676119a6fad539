//! A line of metrics as named numbers, for TensorBoard.

use super::metrics::Metrics;

/// Levels in the order of the metrics.
const LEVELS: [&str; 3] = ["high", "low", "progress"];

/// The numbers of a line that exist.
#[must_use]
pub fn scalars(metrics: &Metrics) -> Vec<(String, f64)> {
    match metrics {
        Metrics::Train {
            tokens,
            epoch,
            lr,
            loss,
            nll,
            frame,
            gradient_norm,
            tokens_per_second,
            ..
        } => {
            let mut numbers = vec![
                ("train/loss".to_owned(), *loss),
                ("train/learning_rate".to_owned(), *lr),
                ("train/gradient_norm".to_owned(), *gradient_norm),
                ("train/tokens".to_owned(), *tokens as f64),
                ("train/epoch".to_owned(), *epoch as f64),
                ("train/tokens_per_second".to_owned(), *tokens_per_second),
            ];
            numbers.extend(by_level("train/nll", nll));
            numbers.extend(frame.map(|frame| ("train/nll/frame".to_owned(), frame)));
            numbers
        }
        Metrics::Eval { evaluation, .. } => {
            let mut numbers = by_level("held_out/nll", &evaluation.nll);
            numbers.extend(by_level("held_out/exact", &evaluation.exact));
            numbers.extend(evaluation.score().map(|s| ("held_out/score".to_owned(), s)));
            numbers
        }
        Metrics::Success { report, .. } => vec![
            ("games/won".to_owned(), share(report.won, report.games)),
            ("games/played".to_owned(), f64::from(report.games)),
        ],
    }
}

fn by_level(name: &str, values: &[Option<f64>; 3]) -> Vec<(String, f64)> {
    LEVELS
        .iter()
        .zip(values)
        .filter_map(|(level, value)| Some((format!("{name}/{level}"), (*value)?)))
        .collect()
}

/// A share of games, 0 of none.
pub(super) fn share(won: u32, games: u32) -> f64 {
    f64::from(won) / f64::from(games.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bc::evaluate::Evaluation;

    #[test]
    fn numbers_that_exist_have_names() {
        let line = Metrics::Eval {
            step: 3,
            evaluation: Evaluation {
                samples: [1, 0, 2],
                nll: [Some(0.5), None, Some(0.25)],
                exact: [Some(1.0), None, Some(0.5)],
            },
            best: false,
        };
        let expected = [
            ("held_out/nll/high", 0.5),
            ("held_out/nll/progress", 0.25),
            ("held_out/exact/high", 1.0),
            ("held_out/exact/progress", 0.5),
            ("held_out/score", 0.75),
        ];
        assert_eq!(
            scalars(&line),
            expected.map(|(name, value)| (name.to_owned(), value))
        );
    }
}
