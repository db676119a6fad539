//! The page of a run's folder.

use std::path::Path;

use serde_json::Value;

use super::bars::Bars;
use super::lines::{Lines, Scale, Series};
use super::page::{Page, Table, Verbatim};
use crate::bc::metrics::{self, Metrics};
use crate::bc::scalars::scalars;
use crate::bc::state::{self, RunRecord};
use crate::error::Result;
use crate::files::write_atomically;
use crate::settings::Settings as _;

/// The page in the run's folder.
pub const REPORT: &str = "report.html";
/// What the critics of the second stage found, if there is one.
const CRITICS: &str = "critics.jsonl";

/// Levels in the order of the metrics, with their colours.
const LEVELS: [(&str, &str); 3] = [
    ("high", "#1b7f4b"),
    ("low", "#c0392b"),
    ("progress", "#2457a6"),
];
const GREY: &str = "#888888";
const VIOLET: &str = "#8e44ad";

/// Writes the page of a run into its folder.
///
/// # Errors
/// When the metrics cannot be read or the page cannot be written.
pub fn write(folder: &Path, record: &RunRecord) -> Result<()> {
    let lines = metrics::read(&folder.join(metrics::METRICS))?;
    // Only the second stage has critics.
    let critics = std::fs::read_to_string(folder.join(CRITICS)).unwrap_or_default();
    let page = page(record, &lines, &critics);
    write_atomically(&folder.join(REPORT), page.as_bytes())
}

/// Writes the page of a run from what its folder holds.
///
/// # Errors
/// When the folder holds no checkpoint, or as [`fn@write`].
pub fn write_again(folder: &Path) -> Result<()> {
    let (record, _) = state::load_weights(&folder.join(state::LAST))?;
    write(folder, &record)
}

/// The page for a run's record, its metrics and, if there are any, the lines of its critics.
#[must_use]
pub fn page(record: &RunRecord, metrics: &[Metrics], critics: &str) -> String {
    let mut page = Page::new("Stride training");
    page.section("Where it stands", &standing(record, metrics));
    if let Some(table) = last_evaluation(record) {
        page.section("Last look at held-out games", &table);
    }
    let curves = Curves::new(metrics);
    let mut losses: Vec<Series> = Vec::new();
    for (prefix, name, dashed) in [("train", "training", false), ("held_out", "held out", true)] {
        for (level, colour) in LEVELS {
            let points = curves.get(&format!("{prefix}/nll/{level}"));
            losses.push(series(format!("{level}, {name}"), colour, dashed, points));
        }
    }
    losses.push(series(
        "frame, training",
        GREY,
        false,
        curves.get("train/nll/frame"),
    ));
    let by_level = |name: &str| -> Vec<Series> {
        LEVELS
            .iter()
            .map(|(level, colour)| {
                series(
                    *level,
                    colour,
                    false,
                    curves.percent(&format!("{name}/{level}")),
                )
            })
            .collect()
    };
    let one = |name: &str, key: &str| vec![series(name, VIOLET, false, curves.get(key))];
    let won = vec![series(
        "games won",
        VIOLET,
        false,
        curves.percent("games/won"),
    )];
    for (heading, scale, series) in [
        ("Loss per token, nats", Scale::Logarithmic, losses),
        (
            "Whole utterances met exactly on held-out games, %",
            Scale::Percent,
            by_level("held_out/exact"),
        ),
        (
            "Held-out training games won by the policy, %",
            Scale::Percent,
            won,
        ),
        (
            "Norm of the gradient before clipping",
            Scale::Logarithmic,
            one("gradient", "train/gradient_norm"),
        ),
        (
            "Learning rate",
            Scale::Linear,
            one("learning rate", "train/learning_rate"),
        ),
        (
            "Input tokens per second",
            Scale::Linear,
            one("tokens/s", "train/tokens_per_second"),
        ),
    ] {
        let lines = Lines { scale, series };
        if !lines.is_empty() {
            page.section(heading, &lines);
        }
    }
    for (level, bars) in advantages(critics) {
        page.section(
            &format!("Advantages that the critics see, {level} level"),
            &bars,
        );
    }
    page.section("Data", &data(record));
    page.section("Settings", &Verbatim(&record.config.to_toml()));
    page.finish()
}

/// Named numbers over steps.
struct Curves(Vec<(u64, Vec<(String, f64)>)>);

impl Curves {
    fn new(metrics: &[Metrics]) -> Self {
        Self(
            metrics
                .iter()
                .map(|line| (line.step(), scalars(line)))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Vec<(f64, f64)> {
        let of_step = |(step, numbers): &(u64, Vec<(String, f64)>)| {
            let (_, value) = numbers.iter().find(|(other, _)| other == name)?;
            Some((*step as f64, *value))
        };
        self.0.iter().filter_map(of_step).collect()
    }

    fn percent(&self, name: &str) -> Vec<(f64, f64)> {
        self.get(name)
            .into_iter()
            .map(|(step, share)| (step, 100.0 * share))
            .collect()
    }
}

fn series(
    name: impl Into<String>,
    colour: &'static str,
    dashed: bool,
    points: Vec<(f64, f64)>,
) -> Series {
    Series {
        name: name.into(),
        colour,
        dashed,
        points,
    }
}

fn standing(record: &RunRecord, metrics: &[Metrics]) -> Table {
    let speed = metrics.iter().rev().find_map(|line| match line {
        Metrics::Train {
            tokens_per_second, ..
        } => Some(*tokens_per_second),
        _ => None,
    });
    let won = metrics.iter().rev().find_map(|line| match line {
        Metrics::Success { report, .. } => Some(format!("{} of {}", report.won, report.games)),
        _ => None,
    });
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |v| format!("{v:.4}"));
    let mut rows = vec![
        (
            "steps",
            format!("{} of {}", record.step, record.config.run.steps),
        ),
        ("input tokens", record.tokens.to_string()),
        ("passes over the data", record.position.epoch.to_string()),
        ("training loss", number(record.loss)),
        ("best held-out score", number(record.best)),
        ("vocabulary", record.vocab_size.to_string()),
        ("seed", record.config.run.seed.to_string()),
    ];
    rows.extend(won.map(|won| ("games won at the last try", won)));
    rows.extend(speed.map(|speed| ("tokens per second", format!("{speed:.0}"))));
    Table {
        head: Vec::new(),
        rows: rows
            .into_iter()
            .map(|(name, value)| vec![name.into(), value])
            .collect(),
    }
}

fn last_evaluation(record: &RunRecord) -> Option<Table> {
    let evaluation = record.evaluation.as_ref()?;
    let rows = LEVELS.iter().enumerate().map(|(i, (level, _))| {
        let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |v| format!("{v:.4}"));
        let percent = |value: Option<f64>| {
            value.map_or_else(|| "-".into(), |v| format!("{:.1} %", 100.0 * v))
        };
        vec![
            (*level).into(),
            evaluation.samples[i].to_string(),
            number(evaluation.nll[i]),
            percent(evaluation.exact[i]),
        ]
    });
    Some(Table {
        head: ["level", "samples", "loss per token", "met exactly"]
            .map(String::from)
            .to_vec(),
        rows: rows.collect(),
    })
}

fn data(record: &RunRecord) -> Table {
    let rows = record.data.iter().map(|file| {
        vec![
            file.path.display().to_string(),
            file.transitions.to_string(),
            file.sha256.clone(),
        ]
    });
    Table {
        head: ["file", "transitions", "SHA-256"]
            .map(String::from)
            .to_vec(),
        rows: rows.collect(),
    }
}

/// The last histogram of each level: what lies below −1, twenty bins of a tenth, what lies above.
fn advantages(critics: &str) -> Vec<(&'static str, Bars)> {
    let last = critics
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .rfind(|line| line["kind"] == "advantages");
    let Some(last) = last else {
        return Vec::new();
    };
    let bars = LEVELS
        .iter()
        .enumerate()
        .filter_map(|(index, (level, colour))| {
            let counts = last["levels"][index]["histogram"].as_array()?;
            let label = |bin: usize| match bin {
                0 => "below".to_owned(),
                _ if bin + 1 == counts.len() => "above".to_owned(),
                _ => format!("{:.1}", -1.1 + 0.1 * bin as f64),
            };
            let bars = counts
                .iter()
                .enumerate()
                .map(|(bin, count)| (label(bin), count.as_u64().unwrap_or(0)));
            Some((
                *level,
                Bars {
                    bars: bars.collect(),
                    colour,
                },
            ))
        });
    bars.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bc::config::BcConfig;
    use crate::bc::evaluate::Evaluation;
    use crate::data::DataFile;

    fn record() -> RunRecord {
        let file = DataFile {
            path: "demos <1>.jsonl".into(),
            sha256: "abc".into(),
            transitions: 12,
        };
        let mut record = RunRecord::new(BcConfig::default(), 900, vec![file]);
        record.step = 17;
        record
    }

    #[test]
    fn a_run_that_has_just_begun_is_a_page() {
        let page = page(&record(), &[], "");
        assert!(page.contains("17 of 4000") && page.contains("demos &lt;1&gt;.jsonl"));
        assert!(page.contains("ema_decay") && !page.contains("<svg"));
    }

    #[test]
    fn curves_and_histograms_are_drawn() {
        let evaluation = Evaluation {
            samples: [1, 2, 0],
            nll: [Some(0.5), Some(0.1), None],
            exact: [Some(0.5), Some(1.0), None],
        };
        let mut record = record();
        record.evaluation = Some(evaluation.clone());
        let metrics = [Metrics::Eval {
            step: 10,
            evaluation,
            best: true,
        }];
        let critics = "{\"kind\":\"train\",\"step\":1}\n\
             {\"kind\":\"advantages\",\"step\":2,\"levels\":[null,{\"histogram\":[1,2,3]},null]}\n";
        let page = page(&record, &metrics, critics);
        assert!(page.contains("high, held out") && page.contains("low, held out"));
        assert!(!page.contains("progress, held out") && !page.contains("NaN"));
        assert!(page.contains("the critics see, low level") && page.contains("-1.0: 2"));
        assert!(page.contains("<td class=\"n\">100.0 %</td>"));
    }
}
