//! `stride-convert inspect`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stride_convert::inspect::{self, Page};

use super::Answer;

/// Print the metadata and tensors of a GGUF file.
#[derive(Args)]
pub struct Inspect {
    /// The file.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print whole arrays and strings.
    #[arg(long)]
    all: bool,
}

impl Inspect {
    pub fn run(self) -> Result<Answer> {
        let text = inspect::open(&self.file, |gguf, file_bytes| {
            if self.json {
                format!("{:#}\n", inspect::to_json(gguf, file_bytes, self.all))
            } else {
                let page = Page {
                    file: gguf,
                    file_bytes,
                    all: self.all,
                };
                page.to_string()
            }
        })?;
        Ok(text.into())
    }
}
