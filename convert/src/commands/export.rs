//! `stride-convert export`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use stride_convert::export;
use stride_convert::source::Checkpoint;

use super::outputs::{OutputOptions, summary};
use super::{Answer, bar};

/// Convert a checkpoint directory (config.json, tokenizer.json, model.safetensors, stride.json) to GGUF.
#[derive(Args)]
pub struct Export {
    /// The checkpoint directory.
    directory: PathBuf,
    #[command(flatten)]
    outputs: OutputOptions,
}

impl Export {
    pub fn run(self) -> Result<Answer> {
        let outputs = self.outputs;
        let requests = outputs.requests()?;
        let checkpoint = Checkpoint::open(&self.directory)
            .with_context(|| format!("cannot convert {}", self.directory.display()))?;
        warn(&checkpoint);
        let reports = if outputs.dry_run {
            export::preview_all(&checkpoint, &requests)?
        } else {
            bar(|observe| export::export_all(&checkpoint, &requests, outputs.force, observe))?
        };
        Ok(summary(&outputs, &requests, &reports).into())
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
