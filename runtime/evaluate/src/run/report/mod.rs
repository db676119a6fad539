//! The result of a run: a table for people, JSON for programs.
//!
//! [`crate::run::html`] makes a page of the same report.

mod text;

use serde::Serialize;
use stride_agent::form::Form;

use super::summary::Summary;
use crate::episode::Episode;
use crate::memory::Memory;
use crate::temperature::Temperatures;

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
    /// Which levels the policy has.
    pub form: Form,
    /// Whether low-level utterances were decoded along verb templates filled with names of the frame.
    pub constrained: bool,
    /// Sampling temperatures; 0 is greedy.
    pub temperature: Temperatures,
    /// Seed of the sample of games and of the sampling.
    pub seed: u64,
    /// CPU threads of each engine.
    pub threads: u32,
    /// Episodes played at the same time.
    pub jobs: usize,
    /// Whether the world gives parts of its score.
    pub graded: bool,
    /// Tokens of one prompt that the device profile allows.
    pub prompt_budget: u32,
    /// The instructions that llama.cpp's CPU kernels here were compiled for.
    pub kernels: Vec<String>,
    /// The command line, quoted for a shell.
    pub command: String,
}

impl Settings {
    /// How utterances were chosen, in words.
    #[must_use]
    pub fn decoding(&self) -> String {
        let mode = if self.temperature.is_greedy() {
            "greedy".to_owned()
        } else {
            format!("temperature {}, seed {}", self.temperature, self.seed)
        };
        let constraint = if self.constrained {
            "constrained"
        } else {
            "unconstrained"
        };
        match self.form {
            Form::Hierarchical => format!("{mode}, {constraint}"),
            form => format!("{mode}, {constraint}, {form}"),
        }
    }
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
        let summary = Summary::of(&episodes, settings.graded);
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION"),
            policy,
            partial: episodes.len() < settings.games,
            settings,
            summary,
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

#[cfg(test)]
mod tests {
    use crate::testing::report;

    #[test]
    fn the_table_says_everything() {
        let report = report(&[4, 6, 90], 3, false);
        assert!(report.is_whole());
        let text = report.to_string();
        for part in [
            "policy   w.gguf (3.0 MiB, sha256 0123456789ab…)",
            "episodes 3 games of at most 50 actions, greedy, unconstrained",
            "walk           3    2   66.7 %   20.8 to 93.9   20.0       5.0",
            "ends     2 success, 0 failure, 1 truncated (0 in a loop), 0 error",
            "calls    30 high, 60 low, 58 progress for 30 subtasks",
            "growth   p95 tokens per step: 33 in steps 1..10, 33 in steps 31..50 (1 episodes): ratio 1.000",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
        assert!(!text.contains("PARTIAL") && !text.contains("score"));
    }

    #[test]
    fn a_graded_world_shows_its_score_first() {
        let text = report(&[4, 6, 90], 3, true).to_string();
        for part in [
            "walk           3   66.7   0.0 to 100.0    2   66.7 %   20.8 to 93.9   20.0       5.0",
            "score    66.7 (0.0 to 100.0) over all episodes, 66.7 (0.0 to 100.0) over 1 tasks",
            "prompts  p99 10 and max 10 tokens of 832 in the budget (high 10 and 10, low 10 and 10, progress 10 and 10)",
            "cut      nothing",
        ] {
            assert!(text.contains(part), "`{part}` is not in\n{text}");
        }
    }

    #[test]
    fn a_partial_run_says_so() {
        let report = report(&[4], 3, false);
        assert!(!report.is_whole());
        assert!(
            report
                .to_string()
                .contains("PARTIAL  stopped after 1 of 3 games")
        );
    }

    #[test]
    fn the_json_form_holds_every_step() {
        let json = serde_json::to_value(report(&[4], 1, false)).unwrap();
        assert_eq!(json["format"], 1);
        assert_eq!(json["episodes"][0]["end"]["kind"], "success");
        assert_eq!(json["episodes"][0]["costs"].as_array().unwrap().len(), 4);
        assert_eq!(json["summary"]["success"][1]["task_type"], "all");
    }
}
