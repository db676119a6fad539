//! The result of a run: a table for people, JSON for programs.

use std::fmt;

use serde::Serialize;

use super::summary::{EARLY, LATE, Success, Summary};
use crate::episode::{End, Episode};
use crate::memory::{Memory, mebibytes};
use crate::statistics::Spread;
use crate::table::Table;

/// Version of the JSON form; it rises when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// The policy that was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyFile {
    /// Its path as given.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// The world as named.
    pub world: String,
    /// Games to be played.
    pub games: usize,
    /// Most actions of an episode.
    pub max_actions: u32,
    /// Whether low-level utterances were decoded along verb templates filled with names of the frame.
    pub constrained: bool,
    /// Sampling temperature; 0 is greedy.
    pub temperature: f32,
    /// Seed of the sample of games and of the sampling.
    pub seed: u64,
    /// CPU threads of each engine.
    pub threads: u32,
    /// Episodes played at the same time.
    pub jobs: usize,
}

/// Everything that `stride-eval run` found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of this program.
    pub version: &'static str,
    /// The policy.
    pub policy: PolicyFile,
    /// What was asked for.
    pub settings: Settings,
    /// Stopped before all games were played.
    pub partial: bool,
    /// The table.
    pub summary: Summary,
    /// Memory at the end; its peak is that of loading the policy and playing.
    pub memory: Memory,
    /// Most resident memory before, while the games were opened: an archive needs its window once.
    pub opening_peak: Option<u64>,
    /// Every episode.
    pub episodes: Vec<Episode>,
}

impl Report {
    /// Sums up a run; memory is measured now.
    #[must_use]
    pub fn new(
        policy: PolicyFile,
        settings: Settings,
        opening_peak: Option<u64>,
        episodes: Vec<Episode>,
    ) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            policy,
            partial: episodes.len() < settings.games,
            settings,
            summary: Summary::of(&episodes),
            memory: Memory::now(),
            opening_peak,
            episodes,
        }
    }

    /// Whether every game was played and none broke: the run says what it was asked to say.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.partial && self.summary.ends.error == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.heading(f)?;
        write!(f, "\n{}\n", success_table(&self.summary.success))?;
        self.counts(f)?;
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
            constrained,
            temperature,
            seed,
            ..
        } = &self.settings;
        let mode = if *temperature > 0.0 {
            format!("temperature {temperature}, seed {seed}")
        } else {
            "greedy".to_owned()
        };
        let constraint = if *constrained {
            "constrained"
        } else {
            "unconstrained"
        };
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
            "episodes {games} games of at most {max_actions} actions, {mode}, {constraint}"
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
            "ends     {} success, {} failure, {} truncated, {} error",
            ends.success, ends.failure, ends.truncated, ends.error
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
                End::Error { message } => Some((&episode.game, message)),
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

fn success_table(success: &[Success]) -> Table {
    let mut table = Table::new(&[
        "task type",
        "games",
        "won",
        "success",
        "95 % interval",
        "steps",
        "when won",
    ]);
    for row in success {
        let percent = |fraction: f64| format!("{:.1}", fraction * 100.0);
        table.row([
            row.task_type.clone(),
            row.episodes.to_string(),
            row.won.to_string(),
            format!("{} %", percent(row.rate)),
            format!(
                "{} to {}",
                percent(row.interval.low),
                percent(row.interval.high)
            ),
            format!("{:.1}", row.mean_steps),
            row.mean_steps_won
                .map_or_else(|| "-".into(), |steps| format!("{steps:.1}")),
        ]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::{Rules, measure};
    use crate::testing::{Corridor, Walker};
    use crate::world::GameLabel;
    use stride_agent::agent::Limits;

    fn report(lengths: &[u32], games: usize) -> Report {
        let rules = Rules {
            limits: Limits::default(),
            max_actions: 50,
            record: false,
        };
        let play = |&length: &u32| {
            let label = GameLabel::new(format!("corridor:{length}"), "walk");
            measure(&label, &mut Corridor::new(length), &mut Walker, &rules).0
        };
        let policy = PolicyFile {
            path: "w.gguf".into(),
            bytes: 3 << 20,
            sha256: "0123456789abcdef".repeat(4),
        };
        let settings = Settings {
            world: "corridor".into(),
            games,
            max_actions: 50,
            constrained: false,
            temperature: 0.0,
            seed: 0,
            threads: 2,
            jobs: 1,
        };
        Report::new(
            policy,
            settings,
            Some(1 << 20),
            lengths.iter().map(play).collect(),
        )
    }

    #[test]
    fn the_table_says_everything() {
        let report = report(&[4, 6, 90], 3);
        assert!(report.is_whole());
        let text = report.to_string();
        for part in [
            "policy   w.gguf (3.0 MiB, sha256 0123456789ab…)",
            "episodes 3 games of at most 50 actions, greedy, unconstrained",
            "walk           3    2   66.7 %   20.8 to 93.9   20.0       5.0",
            "ends     2 success, 0 failure, 1 truncated, 0 error",
            "calls    30 high, 60 low, 58 progress for 30 subtasks",
            "growth   p95 tokens per step: 33 in steps 1..10, 33 in steps 31..50 (1 episodes): ratio 1.000",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
        assert!(!text.contains("PARTIAL"));
    }

    #[test]
    fn a_partial_run_says_so() {
        let report = report(&[4], 3);
        assert!(!report.is_whole());
        assert!(
            report
                .to_string()
                .contains("PARTIAL  stopped after 1 of 3 games")
        );
    }

    #[test]
    fn the_json_form_holds_every_step() {
        let json = serde_json::to_value(report(&[4], 1)).unwrap();
        assert_eq!(json["format"], 1);
        assert_eq!(json["episodes"][0]["end"]["kind"], "success");
        assert_eq!(json["episodes"][0]["costs"].as_array().unwrap().len(), 4);
        assert_eq!(json["summary"]["success"][1]["task_type"], "all");
    }
}
