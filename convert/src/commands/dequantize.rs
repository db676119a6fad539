//! `stride-convert dequantize`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use stride_convert::dequantize::{self, Options};
use stride_convert::source::WeightType;
use stride_convert::stored::StoredModel;

use super::outputs::size;
use super::{Answer, bar};

/// Turn a GGUF model back into a checkpoint directory (config.json, tokenizer.json, model.safetensors), to train it on.
#[derive(Args)]
pub struct Dequantize {
    /// The file, or the first of several of one model.
    file: PathBuf,
    /// The directory to make. It must not exist, or be empty.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Type of the weights: f32, f16 or bf16.
    #[arg(short = 't', long = "type", value_name = "TYPE", default_value_t = WeightType::F32)]
    kind: WeightType,
    /// Bytes of a weight file at most; more become several with an index.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "5G")]
    split_max_size: u64,
}

impl Dequantize {
    pub fn run(self) -> Result<Answer> {
        let model = StoredModel::open(&self.file)?;
        let options = Options {
            kind: self.kind,
            split: self.split_max_size,
        };
        let report = bar(|observe| dequantize::dequantize(&model, &self.output, options, observe))?;
        let text = format!(
            "wrote {}: {} tensors as {}, {} bytes in {} files of weights\n",
            self.output.display(),
            report.tensors.len(),
            self.kind,
            report.file_bytes,
            report.files.len()
        );
        Ok(text.into())
    }
}
