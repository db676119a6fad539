//! `stride-convert export`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use stride_convert::export;
use stride_convert::gate::{Gate, Outcome, export_gated};
use stride_convert::source::{Checkpoint, tokenizer};
use stride_firmware_config::capacity;
use stride_firmware_config::frame::COMPLETED_CAPACITY;

use super::outputs::{OutputOptions, summary};
use super::{Answer, bar};

/// Convert a checkpoint directory (config.json, tokenizer.json, model.safetensors, stride.json) to GGUF.
#[derive(Args)]
pub struct Export {
    /// The checkpoint directory.
    directory: PathBuf,
    /// Issued subtasks that the policy reads by name, instead of as many as its stride.json says: fewer make late frames of the high
    /// level shorter. What that costs in success is to be measured; `data.completed` of stride-train trains for it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=capacity::COMPLETED as i64))]
    completed: Option<u32>,
    #[command(flatten)]
    outputs: OutputOptions,
    #[command(flatten)]
    gate: GateOptions,
}

/// Publish a policy only when it still decides what the checkpoint decides.
#[derive(Args)]
struct GateOptions {
    /// Held-out transitions (JSON Lines; .zst is unpacked): the greedy utterance of every level and the flag that ends a
    /// subtask are compared with those of the checkpoint, and what was found stands in the file (stride.gate.*). When they
    /// agree too seldom nothing is written and the exit code is 1.
    #[arg(long, value_name = "TRANSITIONS")]
    gate: Option<PathBuf>,
    /// Transitions of each level that the gate looks at, spread evenly over the file.
    #[arg(long, value_name = "N", default_value_t = 100)]
    gate_samples: usize,
    /// Share of equal utterances of each level, and of equal flags, at least.
    #[arg(long, value_name = "SHARE", default_value_t = 0.99)]
    gate_agreement: f64,
}

impl Export {
    pub fn run(self) -> Result<Answer> {
        let outputs = self.outputs;
        let requests = outputs.requests()?;
        let mut checkpoint = Checkpoint::open(&self.directory)
            .with_context(|| format!("cannot convert {}", self.directory.display()))?;
        if let Some(completed) = self.completed {
            let policy = checkpoint
                .policy
                .as_mut()
                .context("--completed is for policies, and there is no stride.json")?;
            policy
                .capacities
                .insert(COMPLETED_CAPACITY.into(), completed);
        }
        warn(&checkpoint);
        if outputs.dry_run {
            let reports = export::preview_all(&checkpoint, &requests)?;
            return Ok(summary(&outputs, &requests, &reports).into());
        }
        let Some(transitions) = self.gate.gate else {
            let reports =
                bar(|observe| export::export_all(&checkpoint, &requests, outputs.force, observe))?;
            return Ok(summary(&outputs, &requests, &reports).into());
        };
        let gate = Gate {
            tokenizer: self.directory.join(tokenizer::FILE),
            transitions,
            samples: self.gate.gate_samples,
            agreement: self.gate.gate_agreement,
        };
        let judged =
            bar(|observe| export_gated(&checkpoint, &requests, outputs.force, &gate, observe))?;
        let (reports, outcomes): (Vec<_>, Vec<_>) = judged.into_iter().unzip();
        let mut text = summary(&outputs, &requests, &reports);
        text.extend(outcomes.iter().map(Outcome::to_string));
        Ok(text.into())
    }
}

/// Says on stderr what the file will not hold, or llama.cpp not do.
fn warn(checkpoint: &Checkpoint) {
    let foreign = checkpoint.tokenizer.foreign.as_deref();
    for warning in foreign.iter().flat_map(|foreign| &foreign.warnings) {
        eprintln!("stride-convert: warning: {warning}");
    }
    if checkpoint.policy.is_none() && foreign.is_none() {
        eprintln!(
            "stride-convert: warning: no stride.json, so the file will not say which prompt layout it speaks"
        );
    }
    let config = &checkpoint.config;
    if let Some(window) = config.ignored_window() {
        eprintln!(
            "stride-convert: warning: attention reaches back {window} positions, but llama.cpp attends to all of them \
             for \"{}\"; keep contexts within the window",
            config.architecture.name
        );
    }
}
