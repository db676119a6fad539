//! The table for people.

use std::fmt;

use super::{Report, Settings};
use crate::episode::End;
use crate::memory::{Memory, mebibytes};
use crate::run::summary::{EARLY, LATE, Success, Summary};
use crate::statistics::{Interval, Mean, Spread};
use crate::table::Table;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        let graded = self.settings.graded;
        write!(f, "\n{}\n", success_table(&self.summary.success, graded))?;
        self.scores(f)?;
        self.counts(f)?;
        self.frames(f)?;
        write!(f, "\n{}", spread_table(&self.summary))?;
        self.growth(f)?;
        let Memory {
            peak, anonymous, ..
        } = self.memory;
        writeln!(
            f,
            "memory   peak {} resident while playing, {} while opening the games; {} anonymous at the end",
            mebibytes(peak),
            mebibytes(self.opening_peak),
            mebibytes(anonymous)
        )?;
        self.errors(f)
    }
}

impl Report {
    fn heading(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings {
            world,
            games,
            max_actions,
            ..
        } = &self.settings;
        writeln!(
            f,
            "policy   {} ({}, sha256 {:.12}…)",
            self.policy.path,
            mebibytes(Some(self.policy.bytes)),
            self.policy.sha256
        )?;
        writeln!(f, "world    {world}")?;
        writeln!(
            f,
            "episodes {games} games of at most {max_actions} actions, {}",
            self.settings.decoding()
        )?;
        if self.partial {
            let played = self.episodes.len();
            writeln!(f, "PARTIAL  stopped after {played} of {games} games")?;
        }
        Ok(())
    }

    fn counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary {
            ends,
            calls,
            subtasks,
            invalid,
            malformed,
            capped,
            ..
        } = &self.summary;
        writeln!(
            f,
            "ends     {} success, {} failure, {} truncated ({} in a loop), {} error",
            ends.success, ends.failure, ends.truncated, ends.looped, ends.error
        )?;
        writeln!(
            f,
            "calls    {} high, {} low, {} progress for {subtasks} subtasks",
            calls.high, calls.low, calls.progress
        )?;
        writeln!(
            f,
            "faults   {invalid} refused actions, {malformed} malformed and {capped} capped utterances"
        )
    }

    fn scores(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(scores) = &self.summary.score else {
            return Ok(());
        };
        let line = |mean: &Mean, of_tasks: &Mean| {
            format!(
                "{} over all episodes, {} over {} tasks",
                score(mean),
                score(of_tasks),
                scores.tasks
            )
        };
        writeln!(f, "score    {}", line(&scores.mean, &scores.task_mean))?;
        if let (Some(mean), Some(of_tasks)) =
            (&scores.at_move_limit, &scores.task_mean_at_move_limit)
        {
            writeln!(
                f,
                "         {}, counted to the simulator's own limit of moves",
                line(mean, of_tasks)
            )?;
        }
        Ok(())
    }

    fn frames(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget = self.settings.prompt_budget;
        if let Some(tokens) = &self.summary.tokens_per_prompt {
            let levels = self.summary.tokens_per_level.iter().map(|level| {
                let Spread { p99, max, .. } = level.tokens;
                format!("{} {p99:.0} and {max:.0}", level.level)
            });
            writeln!(
                f,
                "prompts  p99 {:.0} and max {:.0} tokens of {budget} in the budget ({})",
                tokens.p99,
                tokens.max,
                levels.collect::<Vec<_>>().join(", ")
            )?;
        }
        if self.summary.cuts.is_empty() {
            return writeln!(f, "cut      nothing");
        }
        let cuts =
            self.summary.cuts.iter().map(|(field, cut)| {
                format!("{} of {field} ({} bytes dropped)", cut.texts, cut.bytes)
            });
        writeln!(f, "cut      {}", cuts.collect::<Vec<_>>().join(", "))
    }

    fn growth(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (early, late) = (range(&EARLY), range(&LATE));
        match &self.summary.growth {
            Some(growth) => writeln!(
                f,
                "\ngrowth   p95 tokens per step: {:.0} in steps {early}, {:.0} in steps {late} ({} episodes): ratio {:.3}",
                growth.early_p95, growth.late_p95, growth.episodes, growth.ratio
            ),
            None => writeln!(f, "\ngrowth   no episode lasted into the steps {late}"),
        }
    }

    fn errors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let broken = self
            .episodes
            .iter()
            .filter_map(|episode| match &episode.end {
                End::Error { message, .. } => Some((&episode.game, message)),
                _ => None,
            });
        for (game, message) in broken.take(SHOWN) {
            writeln!(f, "error    {game}: {message}")?;
        }
        let hidden = self.summary.ends.error.saturating_sub(SHOWN);
        if hidden > 0 {
            writeln!(f, "error    and {hidden} more")?;
        }
        Ok(())
    }
}

fn range(steps: &std::ops::RangeInclusive<usize>) -> String {
    format!("{}..{}", steps.start(), steps.end())
}

/// A mean score and its interval.
fn score(mean: &Mean) -> String {
    let Interval { low, high } = mean.interval;
    format!("{:.1} ({low:.1} to {high:.1})", mean.mean)
}

fn success_table(success: &[Success], graded: bool) -> Table {
    let mut titles = vec!["task type", "games"];
    if graded {
        titles.extend(["score", "95 % interval"]);
    }
    titles.extend(["won", "success", "95 % interval", "steps", "when won"]);
    let mut table = Table::new(&titles);
    for row in success {
        let percent = |fraction: f64| format!("{:.1}", fraction * 100.0);
        let range = |low, high| format!("{low} to {high}");
        let mut cells = vec![row.task_type.clone(), row.episodes.to_string()];
        if let Some(Mean { mean, interval }) = &row.score {
            let tenth = |value: f64| format!("{value:.1}");
            cells.extend([
                tenth(*mean),
                range(tenth(interval.low), tenth(interval.high)),
            ]);
        } else if graded {
            cells.extend(["-".into(), "-".into()]);
        }
        cells.extend([
            row.won.to_string(),
            format!("{} %", percent(row.rate)),
            range(percent(row.interval.low), percent(row.interval.high)),
            format!("{:.1}", row.mean_steps),
            row.mean_steps_won
                .map_or_else(|| "-".into(), |steps| format!("{steps:.1}")),
        ]);
        table.row(cells);
    }
    table
}

fn spread_table(summary: &Summary) -> Table {
    let mut table = Table::new(&["per step", "mean", "p50", "p95", "max"]);
    let mut row = |name: &str, spread: &Option<Spread>, decimals: usize| {
        let Some(spread) = spread else { return };
        let cell = |value: f64| format!("{value:.decimals$}");
        table.row([
            name.to_owned(),
            cell(spread.mean),
            cell(spread.p50),
            cell(spread.p95),
            cell(spread.max),
        ]);
    };
    row("tokens (prompt + generated)", &summary.tokens_per_step, 0);
    row(
        "of these not found in the cache",
        &summary.decoded_per_step,
        0,
    );
    row("ms", &summary.millis_per_step, 1);
    row("of these in the world", &summary.world_millis_per_step, 3);
    table
}
