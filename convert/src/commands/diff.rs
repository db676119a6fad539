//! `stride-convert diff`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stride_convert::diff;
use stride_convert::stored::StoredModel;

use super::Answer;

/// Compare two GGUF models: metadata by key, tensors by type, shape, bytes and what they read as.
///
/// Exit codes: 0 the same, 1 different, 2 wrong usage or unreadable.
#[derive(Args)]
pub struct Diff {
    /// A file, or the first of several of one model.
    first: PathBuf,
    /// Another.
    second: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Diff {
    pub fn run(self) -> Result<Answer> {
        let (first, second) = (
            StoredModel::open(&self.first)?,
            StoredModel::open(&self.second)?,
        );
        let differences = diff::compare(&first, &second)?;
        let text = if self.json {
            format!("{:#}\n", differences.to_json())
        } else if differences.is_empty() {
            String::new()
        } else {
            differences.to_string()
        };
        Ok(Answer {
            text,
            good: differences.is_empty(),
        })
    }
}
