//! What a run reports while it runs, as JSON Lines in the run's folder.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::evaluate::Evaluation;
use crate::error::{Result, TrainError};
use crate::files::write_atomically;

/// The metrics file in the run's folder.
pub const METRICS: &str = "metrics.jsonl";

/// Games played by the policy itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SuccessReport {
    /// Games played.
    pub games: u32,
    /// Games won.
    pub won: u32,
    /// Mean final score in percent of the full score; of worlds that know only won and lost, the share of games won.
    #[serde(default)]
    pub score: f64,
}

impl SuccessReport {
    /// Counts a game; `score` is a fraction of the full score.
    pub fn count(&mut self, won: bool, score: f32) {
        let sum = self.score * f64::from(self.games) + 100.0 * f64::from(score);
        self.games += 1;
        self.won += u32::from(won);
        self.score = sum / f64::from(self.games);
    }
}

/// One line of the metrics. Levels stand in the order high, low, progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Metrics {
    /// Means over the steps since the last such line.
    Train {
        /// Optimizer steps done.
        step: u64,
        /// Input tokens seen since the start.
        tokens: u64,
        /// Complete passes over the samples.
        epoch: u64,
        /// Learning rate.
        lr: f64,
        /// Weighted mean loss.
        loss: f64,
        /// Mean −log p of an utterance token, by level.
        nll: [Option<f64>; 3],
        /// Mean −log p of a frame token.
        frame: Option<f64>,
        /// Norm of the last gradient before clipping.
        gradient_norm: f64,
        /// Input tokens per second.
        tokens_per_second: f64,
    },
    /// An evaluation on held-out games.
    Eval {
        /// Optimizer steps done.
        step: u64,
        /// What was found.
        #[serde(flatten)]
        evaluation: Evaluation,
        /// The score is the best so far; `best` was written.
        best: bool,
    },
    /// Games played in the loop.
    Success {
        /// Optimizer steps done.
        step: u64,
        /// What was found.
        #[serde(flatten)]
        report: SuccessReport,
        /// The score is the best so far and chooses; `best` was written.
        #[serde(default)]
        best: bool,
    },
}

impl Metrics {
    /// Optimizer steps done.
    #[must_use]
    pub const fn step(&self) -> u64 {
        match self {
            Self::Train { step, .. } | Self::Eval { step, .. } | Self::Success { step, .. } => {
                *step
            }
        }
    }
}

/// The metrics file, open for appending.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Opens the file of a run that has done `step` steps. Lines of later steps, which a killed run wrote behind its
    /// last checkpoint, are removed: those steps will be done again.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(folder: &Path, step: u64) -> Result<Self> {
        let path = folder.join(METRICS);
        let kept: String = match read(&path) {
            Ok(lines) => lines
                .into_iter()
                .filter(|metrics| step > 0 && metrics.step() <= step)
                .map(|metrics| line(&metrics))
                .collect(),
            Err(TrainError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                String::new()
            }
            Err(error) => return Err(error),
        };
        write_atomically(&path, kept.as_bytes())?;
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(TrainError::io(&path))?;
        Ok(Self { path, file })
    }

    /// Appends one line.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&mut self, metrics: &Metrics) -> Result<()> {
        self.file
            .write_all(line(metrics).as_bytes())
            .map_err(TrainError::io(&self.path))
    }
}

fn line(metrics: &Metrics) -> String {
    let mut text = serde_json::to_string(metrics).expect("metrics are plain data");
    text.push('\n');
    text
}

/// Reads a metrics file. A last line that a crash cut short is left out.
///
/// # Errors
/// When the file cannot be read.
pub fn read(path: &Path) -> Result<Vec<Metrics>> {
    let text = std::fs::read_to_string(path).map_err(TrainError::io(path))?;
    Ok(text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn success(step: u64) -> Metrics {
        Metrics::Success {
            step,
            report: SuccessReport {
                games: 2,
                won: 1,
                score: 50.0,
            },
            best: false,
        }
    }

    #[test]
    fn steps_behind_the_checkpoint_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = MetricsFile::open(folder.path(), 0).unwrap();
        for step in [5, 10, 15] {
            file.write(&success(step)).unwrap();
        }
        file.file.write_all(b"{\"kind\":\"succ").unwrap();
        let mut file = MetricsFile::open(folder.path(), 10).unwrap();
        file.write(&success(11)).unwrap();
        let steps: Vec<u64> = read(&folder.path().join(METRICS))
            .unwrap()
            .iter()
            .map(Metrics::step)
            .collect();
        assert_eq!(steps, [5, 10, 11]);
    }
}
