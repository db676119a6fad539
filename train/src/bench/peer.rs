//! Both sides in turn, each in a fresh process so that its peak memory is its own, and their ratios.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::steps::{BenchOptions, Measurement, median};
use crate::error::{Result, TrainError};
use crate::parallel;

/// The script that takes the same steps in PyTorch.
const SCRIPT: &str = include_str!("../../../benches/train_peer.py");

/// How the peer's network is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerModel {
    /// A module written for speed.
    Plain,
    /// The class of transformers; of a Qwen the only peer.
    Transformers,
}

impl PeerModel {
    /// The name that the script knows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Transformers => "transformers",
        }
    }
}

/// One round: both sides, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The trainer.
    pub ours: Measurement,
    /// PyTorch.
    pub peer: Measurement,
}

/// All rounds with one kind of peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// How the peer's network is made.
    pub model: PeerModel,
    /// The rounds.
    pub rounds: Vec<Round>,
}

impl Comparison {
    /// Median over the rounds of our tokens per second over the peer's.
    #[must_use]
    pub fn speed_ratio(&self) -> f64 {
        self.ratio(|m| Some(m.tokens_per_second))
    }

    /// Median over the rounds of our peak memory over the peer's; not a number where the system does not tell.
    #[must_use]
    pub fn memory_ratio(&self) -> f64 {
        self.ratio(|m| m.peak_bytes.map(|bytes| bytes as f64))
    }

    /// The largest relative difference between the losses of both sides.
    #[must_use]
    pub fn loss_difference(&self) -> f64 {
        let pairs = self
            .rounds
            .iter()
            .flat_map(|round| round.ours.losses.iter().zip(&round.peer.losses));
        pairs
            .map(|(ours, peer)| ((ours - peer) / peer).abs())
            .fold(0.0, f64::max)
    }

    fn ratio(&self, figure: impl Fn(&Measurement) -> Option<f64>) -> f64 {
        let ratios: Vec<f64> = self
            .rounds
            .iter()
            .filter_map(|round| Some(figure(&round.ours)? / figure(&round.peer)?))
            .collect();
        median(&ratios)
    }
}

/// Runs `rounds` rounds: `ours` is the command that measures our side and prints it as JSON.
///
/// # Errors
/// When a side does not start, fails, or does not answer with a measurement.
pub fn compare(
    options: &BenchOptions,
    python: &Path,
    model: PeerModel,
    rounds: usize,
    ours: &mut dyn FnMut() -> Command,
    mut done: impl FnMut(&Round),
) -> Result<Comparison> {
    let folder = std::env::temp_dir().join(format!("stride-bench-{}", std::process::id()));
    options.write_folder(&folder)?;
    let compared = (0..rounds)
        .map(|_| {
            let round = Round {
                ours: answer(&mut ours())?,
                peer: answer(&mut peer(options, python, model, &folder))?,
            };
            done(&round);
            Ok(round)
        })
        .collect::<Result<Vec<_>>>();
    // Left behind, it would only take room; that it stays is no reason to lose the figures.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(Comparison {
        model,
        rounds: compared?,
    })
}

fn peer(options: &BenchOptions, python: &Path, model: PeerModel, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).arg(folder);
    for (name, value) in [
        ("--model", model.name().to_owned()),
        ("--batch", options.batch.to_string()),
        ("--length", options.length.to_string()),
        ("--steps", options.steps.to_string()),
        ("--warmup", options.warmup.to_string()),
        ("--threads", parallel::threads(options.threads).to_string()),
        ("--lr", options.lr.to_string()),
    ] {
        command.args([name, &value]);
    }
    command
}

/// What a command prints, as a measurement.
fn answer(command: &mut Command) -> Result<Measurement> {
    let program = PathBuf::from(command.get_program());
    let failed = |reason: String| TrainError::Player {
        program: program.clone(),
        reason,
    };
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("failed ({})", output.status)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| failed(format!("its answer is no measurement: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(speed: f64, peak: Option<u64>) -> Measurement {
        Measurement {
            tokens_per_second: speed,
            seconds: vec![1.0],
            losses: vec![speed / 10.0],
            peak_bytes: peak,
            parameters: 1,
        }
    }

    #[test]
    fn ratios_are_medians_over_rounds() {
        let round = |ours, peer| Round {
            ours: measurement(ours, Some(100)),
            peer: measurement(peer, Some(400)),
        };
        let comparison = Comparison {
            model: PeerModel::Plain,
            rounds: vec![round(10.0, 10.0), round(30.0, 10.0), round(20.0, 10.0)],
        };
        assert!((comparison.speed_ratio() - 2.0).abs() < 1e-12);
        assert!((comparison.memory_ratio() - 0.25).abs() < 1e-12);
        assert!((comparison.loss_difference() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_command_that_says_nothing_is_refused_by_name() {
        let error = answer(&mut Command::new("true")).unwrap_err().to_string();
        assert!(
            error.contains("true") && error.contains("no measurement"),
            "{error}"
        );
        let error = answer(&mut Command::new("false")).unwrap_err().to_string();
        assert!(error.contains("failed"), "{error}");
    }
}
