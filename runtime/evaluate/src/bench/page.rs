//! A bench as a page with curves.

use std::fmt;

use super::report::{ByStep, Report};
use crate::html;
use crate::html::chart::{Lines, Series};
use crate::html::escape::Text;
use crate::html::table::{Cell, Table, count, number};
use crate::memory::mebibytes;

/// A report as a page.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a>(pub &'a Report);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let s = &report.settings;
        html::open(
            f,
            &format!("Stride bench: {}", s.world),
            "What a step costs",
        )?;
        writeln!(
            f,
            "<p class=\"muted\">{}, {} episodes of at most {} steps, measured {} times; actions by {}; {} with {} cores</p>",
            Text(&s.world),
            s.games,
            s.steps,
            s.repeat,
            s.actions,
            Text(&s.processor),
            s.cores
        )?;
        if report.partial {
            f.write_str("<p class=\"partial\"><strong>Partial:</strong> stopped before the last episode.</p>")?;
        }
        html::begin_main(f)?;
        figures(f, report)?;
        contenders(f, report)?;
        f.write_str("<section><h2>By the number of the step</h2>\n")?;
        curve(f, report, "Median milliseconds of a step", |row| {
            Some(row.p50)
        })?;
        curve(
            f,
            report,
            "Median milliseconds of processor time of a step",
            |row| Some(row.cpu_p50),
        )?;
        curve(
            f,
            report,
            "99th percentile of the milliseconds of a step",
            |row| Some(row.p99),
        )?;
        curve(f, report, "Tokens that a step decodes (mean)", |row| {
            Some(row.tokens)
        })?;
        curve(f, report, "Resident memory, MiB (median)", |row| {
            row.resident.map(|bytes| bytes as f64 / f64::from(1 << 20))
        })?;
        steps(f, report)?;
        f.write_str("</section>\n")?;
        ratios(f, report)?;
        settings(f, report)?;
        html::close(f)
    }
}

fn figures(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("<ul class=\"figures\">\n")?;
    let mut figure = |value, what| html::figure(f, value, what);
    if let Some(step) = report.contenders.first() {
        figure(
            format!("{:.1} ms", step.millis.p50),
            format!("a step (median; p99 {:.1} ms)", step.millis.p99),
        )?;
        figure(
            mebibytes(step.ended.resident),
            "resident after the last step".into(),
        )?;
    }
    if let (Some(ratio), Some(baseline)) = (report.ratios.first(), report.contenders.get(1)) {
        figure(
            format!("{:.2} times", ratio.ratio),
            format!(
                "what the {} agent takes, median of all steps",
                baseline.name
            ),
        )?;
    }
    if let Some(flat) = &report.flat {
        figure(
            format!("{:.3}", flat.ratio),
            format!(
                "median of steps {} to {} over that of steps {} to {}",
                flat.late.0, flat.late.1, flat.early.0, flat.early.1
            ),
        )?;
    }
    f.write_str("</ul>\n")
}

fn contenders(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let titles = [
        "agent",
        "steps",
        "ms p50",
        "p95",
        "p99",
        "prompt tokens",
        "cached",
        "said",
        "drafted",
        "decode calls",
        "outside llama.cpp %",
        "RSS loaded",
        "RSS at the end",
        "joules",
        "actions as recorded",
    ];
    let mut table = Table::new("Means of a step, unless said otherwise", &titles);
    for c in &report.contenders {
        table.row(vec![
            Cell::Text(c.name.to_owned()),
            count(c.steps),
            number(c.millis.p50, 2),
            number(c.millis.p95, 2),
            number(c.millis.p99, 2),
            number(c.cpu_millis.p50, 2),
            number(c.mean.prompt_tokens, 1),
            number(c.mean.cached_tokens, 1),
            number(c.mean.generated_tokens, 1),
            number(c.mean.accepted_tokens, 1),
            number(c.mean.decode_calls, 1),
            number((1.0 - c.native_share) * 100.0, 2),
            count(mebibytes(c.loaded.resident)),
            count(mebibytes(c.ended.resident)),
            c.joules
                .map_or_else(|| count("-"), |joules| number(joules, 4)),
            count(format!("{} of {}", c.same, c.steps)),
        ]);
    }
    write!(f, "<section><h2>The agents</h2>\n{table}")?;
    if let Some(why) = &report.settings.no_energy {
        writeln!(f, "<p>Joules: {}</p>", Text(why))?;
    }
    f.write_str("</section>\n")
}

fn curve(
    f: &mut fmt::Formatter<'_>,
    report: &Report,
    title: &str,
    of: fn(&ByStep) -> Option<f64>,
) -> fmt::Result {
    let series = report.contenders.iter().map(|c| Series {
        name: c.name,
        points: c
            .by_step
            .iter()
            .filter_map(|row| Some((f64::from(row.step), of(row)?)))
            .collect(),
    });
    let lines = Lines {
        title,
        x: "step of the episode",
        series: series.collect(),
    };
    write!(f, "{lines}")
}

fn steps(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let titles = [
        "agent", "step", "episodes", "p50 ms", "p99 ms", "CPU ms", "tokens", "resident",
    ];
    let mut table = Table::new("The same as a table", &titles);
    for c in &report.contenders {
        for row in &c.by_step {
            table.row(vec![
                Cell::Text(c.name.to_owned()),
                count(row.step),
                count(row.count),
                number(row.p50, 2),
                number(row.p99, 2),
                number(row.cpu_p50, 2),
                number(row.tokens, 1),
                count(mebibytes(row.resident)),
            ]);
        }
    }
    writeln!(
        f,
        "<details><summary>The same as a table</summary>{table}</details>"
    )
}

fn ratios(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    if report.ratios.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(
        "Above 1, the step-level agent needs less",
        &["what", "step", "baseline", "ratio"],
    );
    for r in &report.ratios {
        table.row(vec![
            Cell::Text(r.what.clone()),
            number(r.step, 2),
            number(r.baseline, 2),
            number(r.ratio, 2),
        ]);
    }
    writeln!(
        f,
        "<section><h2>The baseline over the step-level agent</h2>\n{table}</section>"
    )
}

fn settings(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    f.write_str("<section><h2>How it was run</h2>\n<dl>\n")?;
    for (name, value) in [
        ("command", &report.settings.command),
        ("policy", &report.policy.path),
        ("SHA-256", &report.policy.sha256),
    ] {
        writeln!(f, "<dt>{name}</dt><dd><code>{}</code></dd>", Text(value))?;
    }
    f.write_str("</dl></section>\n")
}
