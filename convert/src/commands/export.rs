//! `stride-convert export`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use stride_convert::export;
use stride_convert::quantize::{Recipe, TypeChoice, TypeOverride};
use stride_convert::report::{Report, TensorReport};
use stride_convert::source::Checkpoint;

use super::{Answer, bar};

/// Convert a checkpoint directory (config.json, tokenizer.json, model.safetensors, stride.json) to GGUF.
#[derive(Args)]
pub struct Export {
    /// The checkpoint directory.
    directory: PathBuf,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Type of the matrices: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1 or q4_0. Vectors stay f32; rows that do not
    /// divide into blocks of 32 become f16; below q8_0 the matrix that makes the logits becomes q8_0.
    #[arg(short, long = "type", value_name = "TYPE", default_value_t = Recipe::Q8_0)]
    recipe: Recipe,
    /// Another type for the matrices whose GGUF name matches a regular expression anywhere, for example
    /// ffn_down=q8_0; may stand several times, the first that matches wins.
    #[arg(long = "tensor-type", value_name = "PATTERN=TYPE")]
    overrides: Vec<TypeOverride>,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
    /// Check everything but the weights, print what would be written, write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one line per tensor: type, bytes, how far storing moved the weights.
    #[arg(short, long)]
    verbose: bool,
}

impl Export {
    pub fn run(self) -> Result<Answer> {
        let (recipe, output) = (self.recipe, &self.output);
        let types = TypeChoice {
            recipe,
            overrides: self.overrides,
        };
        let checkpoint = Checkpoint::open(&self.directory)
            .with_context(|| format!("cannot convert {}", self.directory.display()))?;
        warn(&checkpoint);
        let report = if self.dry_run {
            export::preview(&checkpoint, &types)?
        } else {
            bar(|observe| export::export_as(&checkpoint, output, &types, self.force, observe))?
        };
        let done = if self.dry_run { "would write" } else { "wrote" };
        let headline = format!(
            "{done} {}: {} tensors as {recipe}, {} bytes\n",
            output.display(),
            report.tensors.len(),
            report.file_bytes
        );
        let text = if self.verbose || self.dry_run {
            lines(&report) + &headline
        } else {
            headline
        };
        Ok(text.into())
    }
}

/// Says on stderr what the file will not hold, or llama.cpp not do.
fn warn(checkpoint: &Checkpoint) {
    if checkpoint.policy.is_none() {
        eprintln!(
            "stride-convert: warning: no stride.json, so the file will not say which prompt layout it speaks"
        );
    }
    let config = &checkpoint.config;
    if let Some(window) = config.window.filter(|&window| window < config.context) {
        eprintln!(
            "stride-convert: warning: attention reaches back {window} positions, but llama.cpp attends to all of them \
             for \"{}\"; keep contexts within the window",
            config.architecture.name
        );
    }
}

/// One line per tensor.
fn lines(report: &Report) -> String {
    let line = |tensor: &TensorReport| {
        let moved = tensor.deviation.map_or_else(String::new, |deviation| {
            format!(
                "  largest error {:.3e}, relative rms {:.3e}",
                deviation.largest,
                deviation.relative_rms()
            )
        });
        format!(
            "{:<28} {:<5} {:>10} weights {:>10} bytes{moved}\n",
            tensor.name, tensor.kind, tensor.weights, tensor.bytes
        )
    };
    report.tensors.iter().map(line).collect()
}
