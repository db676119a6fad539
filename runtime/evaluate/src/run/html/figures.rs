//! The figures of a run: headline, task types, ends, frames.

use std::fmt;

use crate::episode::{End, Origin};
use crate::html::table::{Cell, Table, count, number};
use crate::html::{self, chart};
use crate::memory::mebibytes;
use crate::run::report::Report;
use crate::statistics::{Interval, Mean, Spread};

/// The few figures that a reader came for.
pub(super) fn headline(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let summary = &report.summary;
    f.write_str("<ul class=\"figures\">\n")?;
    let mut figure = |value, what| html::figure(f, value, what);
    if let Some(scores) = &summary.score {
        let between = |mean: &Mean| range(mean.interval, 1.0);
        figure(
            format!("{:.1}", scores.mean.mean),
            format!(
                "mean score of 100, all episodes; 95 %: {}",
                between(&scores.mean)
            ),
        )?;
        figure(
            format!("{:.1}", scores.task_mean.mean),
            format!(
                "mean of {} tasks' mean scores; 95 %: {}",
                scores.tasks,
                between(&scores.task_mean)
            ),
        )?;
        if let Some(limited) = &scores.at_move_limit {
            figure(
                format!("{:.1}", limited.mean),
                format!(
                    "mean score, counted to the simulator's own limit of moves; 95 %: {}",
                    between(limited)
                ),
            )?;
        }
    }
    if let Some(all) = summary.overall() {
        figure(
            format!("{:.1} %", all.rate * 100.0),
            format!(
                "{} of {} won; 95 %: {} %",
                all.won,
                all.episodes,
                range(all.interval, 100.0)
            ),
        )?;
    }
    if let Some(Spread { p50, p95, .. }) = summary.tokens_per_step {
        figure(
            format!("{p50:.0}"),
            format!("tokens a step (median; p95 {p95:.0})"),
        )?;
    }
    if let Some(Spread { p50, p95, .. }) = summary.millis_per_step {
        figure(
            format!("{p50:.1} ms"),
            format!("a step (median; p95 {p95:.1} ms)"),
        )?;
    }
    figure(
        mebibytes(report.memory.peak),
        "most memory of this process while playing".into(),
    )?;
    f.write_str("</ul>\n")
}

fn range(interval: Interval, scale: f64) -> String {
    format!(
        "{:.1} to {:.1}",
        interval.low * scale,
        interval.high * scale
    )
}

/// Success, and the score where there is one, of every task type.
pub(super) fn tasks(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let graded = report.settings.graded;
    f.write_str("<section><h2>By task</h2>\n")?;
    let titles: &[&str] = if graded {
        &[
            "task",
            "games",
            "score",
            "95 %",
            "",
            "won",
            "success %",
            "95 %",
            "actions",
            "when won",
        ]
    } else {
        &[
            "task",
            "games",
            "won",
            "success %",
            "95 %",
            "",
            "actions",
            "when won",
        ]
    };
    let caption = if graded {
        "Mean score with bootstrap intervals, success with Wilson intervals, mean actions"
    } else {
        "Success with Wilson intervals, mean actions"
    };
    let mut table = Table::new(caption, titles);
    for row in &report.summary.success {
        let mut cells = vec![Cell::Text(row.task_type.clone()), count(row.episodes)];
        if graded {
            match &row.score {
                Some(Mean { mean, interval }) => cells.extend([
                    number(*mean, 1),
                    Cell::Number(range(*interval, 1.0)),
                    Cell::Drawing(chart::interval(interval.low, *mean, interval.high)),
                ]),
                None => cells.extend([count("-"), count("-"), Cell::Drawing(String::new())]),
            }
        }
        cells.extend([
            count(row.won),
            number(row.rate * 100.0, 1),
            Cell::Number(range(row.interval, 100.0)),
        ]);
        if !graded {
            let Interval { low, high } = row.interval;
            let drawing = chart::interval(low * 100.0, row.rate * 100.0, high * 100.0);
            cells.push(Cell::Drawing(drawing));
        }
        cells.extend([
            number(row.mean_steps, 1),
            row.mean_steps_won
                .map_or_else(|| count("-"), |steps| number(steps, 1)),
        ]);
        table.row(cells);
    }
    writeln!(f, "{}</section>", table.with_total())
}

/// How episodes ended.
pub(super) fn ends(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let ends = &report.summary.ends;
    let of = |wanted: Origin| {
        let origins = report
            .episodes
            .iter()
            .filter_map(|episode| match episode.end {
                End::Error { origin, .. } => Some(origin),
                _ => None,
            });
        origins.filter(|origin| *origin == wanted).count()
    };
    let failed = if report.settings.graded {
        "failed: ended by the world, for example by a wrong focus"
    } else {
        "failed: ended by the world without success"
    };
    let mut table = Table::new("How episodes ended", &["end", "episodes", "%", ""]);
    let all = report.episodes.len().max(1) as f64;
    for (name, episodes) in [
        ("won", ends.success),
        (failed, ends.failure),
        (
            "limit of actions, still doing something new",
            ends.truncated - ends.looped,
        ),
        ("limit of actions, in a loop", ends.looped),
        ("error of the world (no verdict)", of(Origin::World)),
        ("error of the policy (no verdict)", of(Origin::Policy)),
    ] {
        let share = episodes as f64 / all;
        table.row(vec![
            Cell::Text(name.into()),
            count(episodes),
            number(share * 100.0, 1),
            Cell::Drawing(chart::share(share)),
        ]);
    }
    let summary = &report.summary;
    write!(
        f,
        "<section><h2>How episodes ended</h2>\n{table}<p>A loop: each of the last {} actions brought an answer that the same action \
         had brought before. {} actions were refused by the world, {} utterances did not parse, {} stopped at their cap of \
         tokens.</p></section>\n",
        crate::trail::LAST,
        summary.invalid,
        summary.malformed,
        summary.capped
    )
}

/// Frames against the budget, and what was cut.
pub(super) fn frames(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let summary = &report.summary;
    f.write_str("<section><h2>Frames</h2>\n")?;
    let caption = format!(
        "Tokens of one call's frame; the device profile allows {}",
        report.settings.prompt_budget
    );
    let mut table = Table::new(
        &caption,
        &["level", "calls", "mean", "median", "p95", "p99", "max"],
    );
    let mut row = |name: &str, tokens: &Spread| {
        table.row(vec![
            Cell::Text(name.into()),
            count(tokens.count),
            number(tokens.mean, 1),
            number(tokens.p50, 0),
            number(tokens.p95, 0),
            number(tokens.p99, 0),
            number(tokens.max, 0),
        ]);
    };
    for level in &summary.tokens_per_level {
        row(level.level.name(), &level.tokens);
    }
    if let Some(all) = &summary.tokens_per_prompt {
        row("all", all);
    }
    write!(f, "{}", table.with_total())?;
    if summary.cuts.is_empty() {
        f.write_str("<p>Every text fitted its buffer.</p>")?;
    } else {
        let mut table = Table::new(
            "Texts that did not fit their buffers",
            &["buffer", "texts", "bytes dropped"],
        );
        for (field, cut) in &summary.cuts {
            table.row(vec![
                Cell::Text((*field).into()),
                count(cut.texts),
                count(cut.bytes),
            ]);
        }
        write!(f, "{table}")?;
    }
    f.write_str("</section>\n")
}
