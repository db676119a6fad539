//! `stride-convert verify`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use stride_convert::encoder::{Encoder, FrameEncoder};
use stride_convert::forward::Parameters;
use stride_convert::source::{Checkpoint, tokenizer};
use stride_convert::transitions::Transitions;
use stride_convert::verify::{self, Limits, Report, Samples};

use super::{Answer, work_bar};

/// Compare a GGUF with the checkpoint (or the F32 or F16 GGUF) that it was made from: every tensor, and the predictions of
/// a forward pass over a text or over transitions. Exit code 1 when a limit is exceeded.
#[derive(Args)]
pub struct Verify {
    /// The checkpoint directory, or a GGUF.
    source: PathBuf,
    /// The GGUF.
    file: PathBuf,
    /// Compare predictions over this text.
    #[arg(long, value_name = "FILE", conflicts_with = "transitions")]
    text: Option<PathBuf>,
    /// Compare predictions of utterances over these transitions (JSON Lines; .zst is unpacked).
    #[arg(long, value_name = "FILE")]
    transitions: Option<PathBuf>,
    /// Transitions of each level, spread evenly over the file.
    #[arg(long, value_name = "N", default_value_t = 100)]
    samples: usize,
    /// Tokens of a window of the text; the second half of each is looked at.
    #[arg(long, value_name = "N", default_value_t = 512)]
    context: usize,
    /// Windows of the text at most.
    #[arg(long, value_name = "N")]
    windows: Option<usize>,
    /// The tokenizer.json, where the source is no checkpoint directory.
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
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
        let samples = self.samples(source.network.context.min(file.network.context))?;
        let report = work_bar(|bar| verify::verify(source, file, &samples, bar))?;
        Ok(report)
    }

    fn samples(&self, context: usize) -> Result<Samples> {
        let encoder = || Encoder::open(&self.tokenizer_path());
        if let Some(path) = &self.transitions {
            let transitions = Transitions::read(path, self.samples)?;
            let encoder = FrameEncoder::new(encoder()?)?;
            return Ok(Samples::of_transitions(&encoder, &transitions, context)?);
        }
        let Some(path) = &self.text else {
            return Ok(Samples::default());
        };
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut samples = Samples::of_text(&encoder()?, &text, self.context.min(context))?;
        samples.samples.truncate(self.windows.unwrap_or(usize::MAX));
        Ok(samples)
    }

    fn tokenizer_path(&self) -> PathBuf {
        match &self.tokenizer {
            Some(path) => path.clone(),
            None => beside(&self.source),
        }
    }
}

/// The tokenizer of a checkpoint directory, or beside a GGUF.
fn beside(source: &Path) -> PathBuf {
    let folder = if source.is_dir() {
        Some(source)
    } else {
        source.parent()
    };
    folder.map_or_else(
        || tokenizer::FILE.into(),
        |folder| folder.join(tokenizer::FILE),
    )
}
