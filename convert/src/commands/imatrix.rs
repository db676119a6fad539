//! `stride-convert imatrix`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use clap::error::ErrorKind;
use stride_convert::forward::Parameters;
use stride_convert::importance;
use stride_convert::output;
use stride_convert::source::Checkpoint;
use stride_convert::verify;

use super::shown::Shown;
use super::{Answer, work_bar};

/// Measure an importance matrix: how much an error in every column of every matrix counts, as the mean square of what it
/// is multiplied with over a text or over transitions. `export --imatrix` and llama-quantize read it.
#[derive(Args)]
pub struct Imatrix {
    /// The checkpoint directory, or a GGUF that is not quantized.
    source: PathBuf,
    /// The file to write, in the GGUF form of llama-imatrix.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    shown: Shown,
    /// Measure the output matrix too, where the embedding does not make the logits.
    #[arg(long)]
    process_output: bool,
    /// Replace a file that exists.
    #[arg(long)]
    force: bool,
}

impl Imatrix {
    pub fn run(self) -> Result<Answer> {
        let Some(data) = self.shown.file() else {
            let problem = "give a text (--text) or transitions (--transitions) to measure on\n";
            return Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, problem).into());
        };
        // Measuring takes a while; a name that is taken should show at once.
        output::check_place(&self.output, self.force)?;
        let dataset = data.file_name().unwrap_or_default().to_string_lossy();
        if self.source.is_dir() {
            let checkpoint = Checkpoint::open(&self.source)
                .with_context(|| format!("cannot read {}", self.source.display()))?;
            self.measure(&Parameters::of_checkpoint(&checkpoint)?, &dataset)
        } else {
            verify::with_gguf(&self.source, |source, _| self.measure(source, &dataset))?
        }
    }

    fn measure(&self, source: &Parameters<'_>, dataset: &str) -> Result<Answer> {
        let shown = self
            .shown
            .samples(&self.source, source.completed, source.network.context)?;
        let measured =
            work_bar(|bar| importance::measure(source, &shown.samples, self.process_output, bar))?;
        measured.write(&self.output, dataset, self.force)?;
        let left_out = match shown.too_long {
            0 => String::new(),
            few => format!(" ({few} transitions are longer than the context and were left out)"),
        };
        let text = format!(
            "wrote {}: {} matrices, measured on {} tokens in {} sequences of {dataset}{left_out}\n",
            self.output.display(),
            measured.len(),
            measured.tokens,
            measured.sequences,
        );
        Ok(text.into())
    }
}
