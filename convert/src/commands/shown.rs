//! What a model is shown: a text in windows, or transitions.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use stride_convert::encoder::{Encoder, FrameEncoder};
use stride_convert::source::tokenizer;
use stride_convert::transitions::Transitions;
use stride_convert::verify::Samples;

#[derive(Args)]
pub struct Shown {
    /// Show the model this text, in windows.
    #[arg(long, value_name = "FILE", conflicts_with = "transitions")]
    text: Option<PathBuf>,
    /// Show the model these transitions (JSON Lines; .zst is unpacked), each a frame and the utterance behind it.
    #[arg(long, value_name = "FILE")]
    transitions: Option<PathBuf>,
    /// Transitions of each level, spread evenly over the file.
    #[arg(long, value_name = "N", default_value_t = 100)]
    samples: usize,
    /// Tokens of a window of the text.
    #[arg(long, value_name = "N", default_value_t = 512)]
    context: usize,
    /// Windows of the text at most.
    #[arg(long, value_name = "N")]
    windows: Option<usize>,
    /// The tokenizer.json, where the source is no checkpoint directory. [default: the one beside it]
    #[arg(long, value_name = "FILE")]
    tokenizer: Option<PathBuf>,
}

impl Shown {
    /// The file that samples are made of, where one was named.
    pub fn file(&self) -> Option<&Path> {
        self.text.as_deref().or(self.transitions.as_deref())
    }

    /// The samples for a model of `context` positions that reads `completed` issued subtasks, tokens as the tokenizer of `source` makes them; none where no
    /// file was named.
    pub fn samples(&self, source: &Path, completed: usize, context: usize) -> Result<Samples> {
        let encoder = || match &self.tokenizer {
            Some(path) => Encoder::open(path),
            None => Encoder::open(&beside(source)),
        };
        if let Some(path) = &self.transitions {
            let transitions = Transitions::read(path, self.samples)?;
            let encoder = FrameEncoder::new(encoder()?)?.reading(completed);
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
