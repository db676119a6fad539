//! `stride-convert card`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use stride_convert::inspect;

use super::Answer;

/// Print the model card that is stored in a GGUF file.
#[derive(Args)]
pub struct Card {
    /// The file.
    file: PathBuf,
}

impl Card {
    pub fn run(self) -> Result<Answer> {
        let card = inspect::open(&self.file, |gguf, _| inspect::card(gguf))?;
        let absent = || format!("{} holds no model card (stride.card)", self.file.display());
        let card = card.with_context(absent)?;
        Ok((card + "\n").into())
    }
}
