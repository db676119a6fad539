//! `stride-convert verify`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use stride_convert::forward::Parameters;
use stride_convert::source::Checkpoint;
use stride_convert::verify::{self, Limits, Report};

use super::shown::Shown;
use super::{Answer, work_bar};

/// Compare a GGUF with the checkpoint (or the F32 or F16 GGUF) that it was made from: every tensor, and the predictions of
/// a forward pass over a text (the second half of every window) or over transitions (the utterances). Exit code 1 when a limit is exceeded.
#[derive(Args)]
pub struct Verify {
    /// The checkpoint directory, or a GGUF.
    source: PathBuf,
    /// The GGUF.
    file: PathBuf,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    limits: LimitArguments,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct LimitArguments {
    /// Mean KL divergence at most, in nats.
    #[arg(long, value_name = "X")]
    limit_kl: Option<f64>,
    /// The KL divergence that 99 of 100 tokens stay under, at most.
    #[arg(long, value_name = "X")]
    limit_p99_kl: Option<f64>,
    /// Share of tokens with the same most likely token at least, 0 to 1.
    #[arg(long, value_name = "X")]
    limit_top1: Option<f64>,
    /// Perplexity of the file over that of the source, at most.
    #[arg(long, value_name = "X")]
    limit_perplexity: Option<f64>,
    /// Relative root mean square error of every tensor at most.
    #[arg(long, value_name = "X")]
    limit_error: Option<f64>,
}

impl Verify {
    pub fn run(self) -> Result<Answer> {
        let report = if self.source.is_dir() {
            let checkpoint = Checkpoint::open(&self.source)
                .with_context(|| format!("cannot read {}", self.source.display()))?;
            let source = Parameters::of_checkpoint(&checkpoint)?;
            self.with_file(|file, metadata| {
                verify::same_vocabulary(&checkpoint, metadata, &file.side)?;
                self.compare(&source, file)
            })
        } else {
            verify::with_gguf(&self.source, |source, _| {
                self.with_file(|file, _| self.compare(source, file))
            })?
        }?;
        let limits = Limits {
            mean_kl: self.limits.limit_kl,
            p99_kl: self.limits.limit_p99_kl,
            top1: self.limits.limit_top1,
            perplexity_ratio: self.limits.limit_perplexity,
            tensor_error: self.limits.limit_error,
        };
        let exceeded = limits.exceeded(&report);
        for line in &exceeded {
            eprintln!("stride-convert: {line}");
        }
        let text = if self.json {
            let mut json = json!(report);
            json["exceeded"] = json!(exceeded);
            format!("{json:#}\n")
        } else {
            report.to_string()
        };
        Ok(Answer {
            text,
            good: exceeded.is_empty(),
        })
    }

    fn with_file<T>(
        &self,
        compare: impl FnOnce(&Parameters<'_>, &stride_convert::gguf::Metadata) -> Result<T>,
    ) -> Result<T> {
        verify::with_gguf(&self.file, compare)?
    }

    fn compare(&self, source: &Parameters<'_>, file: &Parameters<'_>) -> Result<Report> {
        let context = source.network.context.min(file.network.context);
        let samples = self
            .shown
            .samples(&self.source, source.completed, context)?;
        let report = work_bar(|bar| verify::verify(source, file, &samples, bar))?;
        Ok(report)
    }
}
