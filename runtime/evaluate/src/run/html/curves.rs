//! What a step costs as an episode grows older, and how long episodes were.

use std::fmt;

use crate::episode::Episode;
use crate::html::chart::{Bar, Bars, Lines, Series};
use crate::html::escape::Text;
use crate::html::table::{Cell, Table, count, number};
use crate::meter::StepCost;
use crate::run::report::Report;
use crate::statistics::Spread;

/// Bars of a distribution at most.
const BARS: usize = 10;

/// Cost by step, then lengths, then scores where they say more than the success.
pub(super) fn sections(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("<section><h2>What a step costs, by its number in the episode</h2>\n")?;
    let tokens = by_step(&report.episodes, |step| f64::from(step.tokens()));
    let millis = by_step(&report.episodes, StepCost::millis);
    curve(f, "Tokens of a step, prompts and utterances", &tokens, 0)?;
    curve(f, "Milliseconds of a step, policy and world", &millis, 2)?;
    f.write_str("</section>\n<section><h2>How long episodes were</h2>\n")?;
    let longest = report.settings.max_actions.max(1) as usize;
    distribution(
        f,
        report,
        ("Episodes by their number of actions", "actions"),
        |episode| episode.steps as usize,
        longest,
    )?;
    if report.settings.graded {
        distribution(
            f,
            report,
            ("Episodes by their score", "score"),
            |episode| episode.score.round() as usize,
            100,
        )?;
    }
    f.write_str("</section>\n")
}

/// The spread of a quantity over the episodes that had a first step, a second one, and so on.
fn by_step(episodes: &[Episode], quantity: fn(&StepCost) -> f64) -> Vec<Spread> {
    (0..)
        .map_while(|at| {
            let costs = episodes.iter().filter_map(|episode| episode.costs.get(at));
            Spread::of(costs.map(quantity))
        })
        .collect()
}

fn curve(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    steps: &[Spread],
    decimals: usize,
) -> fmt::Result {
    if steps.is_empty() {
        return writeln!(f, "<p>{}: no step was played.</p>", Text(title));
    }
    let series = |name, of: fn(&Spread) -> f64| Series {
        name,
        points: (1_u32..)
            .zip(steps)
            .map(|(step, spread)| (f64::from(step), of(spread)))
            .collect(),
    };
    let lines = Lines {
        title,
        x: "step of the episode",
        series: vec![
            series("median", |spread| spread.p50),
            series("p95", |spread| spread.p95),
            series("p99", |spread| spread.p99),
        ],
    };
    write!(f, "{lines}")?;
    let mut table = Table::new(title, &["step", "episodes", "median", "p95", "p99"]);
    for (step, spread) in (1_u32..).zip(steps) {
        table.row(vec![
            count(step),
            count(spread.count),
            number(spread.p50, decimals),
            number(spread.p95, decimals),
            number(spread.p99, decimals),
        ]);
    }
    writeln!(
        f,
        "<details><summary>The same as a table</summary>{table}</details>"
    )
}

/// Judged episodes in equal ranges of a whole number of at most `most`, won ones below.
fn distribution(
    f: &mut fmt::Formatter<'_>,
    report: &Report,
    (title, x): (&str, &str),
    value: fn(&Episode) -> usize,
    most: usize,
) -> fmt::Result {
    // 0 belongs to the first range; a range holds its upper end.
    let width = most.div_ceil(BARS);
    let place = |value: usize| value.saturating_sub(1) / width;
    let mut bars: Vec<Bar> = (0..=place(most))
        .map(|at| {
            let (low, high) = (at * width + 1, ((at + 1) * width).min(most));
            let low = if at == 0 { 0 } else { low };
            let label = if low == high {
                low.to_string()
            } else {
                format!("{low}–{high}")
            };
            Bar {
                label,
                parts: [0, 0],
            }
        })
        .collect();
    for episode in report.episodes.iter().filter(|episode| episode.judged()) {
        let at = place(value(episode)).min(bars.len() - 1);
        bars[at].parts[usize::from(!episode.won())] += 1;
    }
    let titles = [x, "won", "not won"];
    let mut table = Table::new(title, &titles);
    for bar in &bars {
        let [won, lost] = bar.parts;
        table.row(vec![Cell::Text(bar.label.clone()), count(won), count(lost)]);
    }
    let drawing = Bars {
        title,
        x,
        parts: ["won", "not won"],
        bars,
    };
    writeln!(
        f,
        "{drawing}<details><summary>The same as a table</summary>{table}</details>"
    )
}
