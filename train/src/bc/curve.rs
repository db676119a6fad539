//! The loss curve of a run as one page without outside parts: two drawings, losses and exact match.

use std::fmt::Write as _;

use super::metrics::Metrics;

/// The page in the run's folder.
pub const CURVE: &str = "loss.html";

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 340.0;
const MARGIN: f64 = 54.0;
const LEVELS: [(&str, &str); 3] = [
    ("high", "#1b7f4b"),
    ("low", "#c0392b"),
    ("progress", "#2457a6"),
];

/// One line of a drawing: (step, value) pairs.
struct Series {
    name: String,
    colour: &'static str,
    dashed: bool,
    points: Vec<(f64, f64)>,
}

/// The page for a run's metrics.
#[must_use]
pub fn page(metrics: &[Metrics]) -> String {
    let mut training: Vec<Series> = LEVELS
        .iter()
        .map(|(name, colour)| series(format!("{name}, training"), colour, false))
        .collect();
    training.push(series("frame, training".into(), "#999999", false));
    let mut held_out: Vec<Series> = LEVELS
        .iter()
        .map(|(name, colour)| series(format!("{name}, held out"), colour, true))
        .collect();
    let mut exact: Vec<Series> = LEVELS
        .iter()
        .map(|(name, colour)| series((*name).into(), colour, false))
        .collect();
    let mut success = series("games won".into(), "#8e44ad", true);
    for line in metrics {
        let step = line.step() as f64;
        match line {
            Metrics::Train { nll, frame, .. } => {
                for (series, value) in training.iter_mut().zip(nll.iter().chain([frame])) {
                    series.points.extend(value.map(|value| (step, value)));
                }
            }
            Metrics::Eval { evaluation, .. } => {
                for (series, value) in held_out.iter_mut().zip(evaluation.nll) {
                    series.points.extend(value.map(|value| (step, value)));
                }
                for (series, value) in exact.iter_mut().zip(evaluation.exact) {
                    series
                        .points
                        .extend(value.map(|value| (step, 100.0 * value)));
                }
            }
            Metrics::Success { report, .. } => {
                let share = f64::from(report.won) / f64::from(report.games.max(1));
                success.points.push((step, 100.0 * share));
            }
        }
    }
    training.extend(held_out);
    exact.push(success);
    let mut page = String::from(
        "<!doctype html><meta charset=\"utf-8\"><title>Stride training</title>\n\
         <style>body{font:14px sans-serif;margin:2em;color:#222}svg{display:block;margin-bottom:1em}</style>\n",
    );
    page.push_str("<h1>Loss per token (nats, logarithmic)</h1>\n");
    page.push_str(&drawing(&training, true));
    page.push_str("<h1>Exact match of whole utterances on held-out games (%)</h1>\n");
    page.push_str(&drawing(&exact, false));
    page
}

fn series(name: String, colour: &'static str, dashed: bool) -> Series {
    Series {
        name,
        colour,
        dashed,
        points: Vec::new(),
    }
}

/// One drawing with axes, lines and a legend.
fn drawing(all: &[Series], logarithmic: bool) -> String {
    let shown: Vec<&Series> = all.iter().filter(|s| !s.points.is_empty()).collect();
    let height = |value: f64| {
        if logarithmic {
            value.max(1e-6).log10()
        } else {
            value
        }
    };
    let points = || shown.iter().flat_map(|s| &s.points);
    let last = points().map(|(x, _)| *x).fold(1.0, f64::max);
    let (low, high) = if logarithmic {
        points().fold((0.0, 0.0), |(low, high): (f64, f64), (_, y)| {
            (low.min(height(*y).floor()), high.max(height(*y).ceil()))
        })
    } else {
        (0.0, 100.0)
    };
    let span = (high - low).max(1e-9);
    let x = |step: f64| MARGIN + step / last * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - (value - low) / span * (HEIGHT - 2.0 * MARGIN);
    let mut svg =
        format!("<svg width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n");
    let ticks = if logarithmic { span.round() as u32 } else { 5 };
    for tick in 0..=ticks {
        let value = low + span * f64::from(tick) / f64::from(ticks.max(1));
        let label = if logarithmic {
            10_f64.powf(value)
        } else {
            value
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            svg,
            "<line x1=\"{MARGIN}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" stroke=\"#ddd\"/><text x=\"4\" y=\"{1:.1}\">{label}</text>",
            WIDTH - MARGIN,
            y(value)
        );
    }
    for tick in 0..=4 {
        let step = last * f64::from(tick) / 4.0;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{step:.0}</text>",
            x(step),
            HEIGHT - MARGIN + 20.0
        );
    }
    for (index, series) in shown.iter().enumerate() {
        let path: Vec<String> = series
            .points
            .iter()
            .map(|(step, value)| format!("{:.1},{:.1}", x(*step), y(height(*value))))
            .collect();
        let dash = if series.dashed { "6 4" } else { "none" };
        let left = MARGIN + 110.0 * index as f64;
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{0}\" stroke-width=\"1.5\" stroke-dasharray=\"{dash}\" points=\"{1}\"/><text x=\"{left:.0}\" y=\"20\" fill=\"{0}\" font-size=\"11\">{2}</text>",
            series.colour,
            path.join(" "),
            series.name
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bc::evaluate::Evaluation;

    #[test]
    fn every_series_is_drawn_and_an_empty_run_is_a_page() {
        assert!(page(&[]).contains("</svg>"));
        let evaluation = Evaluation {
            samples: [1, 2, 0],
            nll: [Some(0.5), Some(0.1), None],
            exact: [Some(0.5), Some(1.0), None],
        };
        let page = page(&[Metrics::Eval {
            step: 10,
            evaluation,
            best: true,
        }]);
        assert!(page.contains("high, held out") && page.contains("low, held out"));
        assert!(!page.contains("progress, held out") && !page.contains("NaN"));
    }
}
