//! `stride-convert requantize`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stride_convert::requantize::{self, Permissions};
use stride_convert::stored::StoredModel;

use super::outputs::{OutputOptions, summary};
use super::{Answer, bar};

/// Store the tensors of a GGUF model in other types. Metadata is kept.
#[derive(Args)]
pub struct Requantize {
    /// The file, or the first of several of one model.
    file: PathBuf,
    #[command(flatten)]
    outputs: OutputOptions,
    /// Quantize what is quantized already. The errors add up, so a file made of f32, f16 or bf16 is better.
    #[arg(long)]
    allow_requantize: bool,
}

impl Requantize {
    pub fn run(self) -> Result<Answer> {
        let outputs = self.outputs;
        let requests = outputs.requests()?;
        let model = StoredModel::open(&self.file)?;
        let permissions = Permissions {
            requantize: self.allow_requantize,
            replace: outputs.force,
        };
        let reports = if outputs.dry_run {
            requantize::preview(&model, &requests, permissions)?
        } else {
            bar(|observe| requantize::requantize(&model, &requests, permissions, observe))?
        };
        Ok(summary(&outputs, &requests, &reports).into())
    }
}
