//! `stride-convert lora`.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::{ArgGroup, Args};
use stride_convert::export::{self, Request};
use stride_convert::lora::{Merge, merge_all, write_adapter};
use stride_convert::quantize::Recipe;
use stride_convert::source::Checkpoint;

use super::outputs::{OutputOptions, summary};
use super::{Answer, bar};

/// Merge a LoRA adapter of PEFT into its base while exporting, or make it a GGUF that llama.cpp loads beside the base.
#[derive(Args)]
#[command(group = ArgGroup::new("form").required(true))]
pub struct Lora {
    /// The folder of the adapter (adapter_config.json, adapter_model.safetensors).
    adapter_folder: PathBuf,
    /// The checkpoint directory that the adapter was trained on.
    #[arg(long, value_name = "DIR")]
    base: PathBuf,
    /// Write the sum of base and adapter.
    #[arg(long, group = "form")]
    merge: bool,
    /// Write the adapter alone, for llama.cpp's --lora, as f32 unless --type says f16 or bf16.
    #[arg(long, group = "form")]
    adapter: bool,
    #[command(flatten)]
    outputs: OutputOptions,
}

impl Lora {
    pub fn run(self) -> Result<Answer> {
        let outputs = if self.adapter {
            self.outputs.usually(Recipe::F32)
        } else {
            self.outputs
        };
        let requests = outputs.requests()?;
        let base = Checkpoint::open(&self.base)
            .with_context(|| format!("cannot convert {}", self.base.display()))?;
        let merge = Merge::open(&self.adapter_folder, base)
            .with_context(|| format!("cannot use {}", self.adapter_folder.display()))?;
        let reports = if self.merge {
            if outputs.dry_run {
                export::preview_all(merge.base(), &requests)?
            } else {
                bar(|observe| merge_all(&merge, &requests, outputs.force, observe))?
            }
        } else {
            ensure!(!outputs.dry_run, "--dry-run does not go with --adapter");
            let write = |request: &Request| -> Result<_> {
                let recipe = request.types.recipe;
                ensure!(
                    matches!(recipe, Recipe::F32 | Recipe::F16 | Recipe::Bf16),
                    "an adapter is stored as f32, f16 or bf16, not as {recipe}: it is small, and what it loses is lost twice"
                );
                let output = &request.output;
                Ok(bar(|observe| {
                    write_adapter(&merge, output, recipe, outputs.force, observe)
                })?)
            };
            requests.iter().map(write).collect::<Result<_>>()?
        };
        let mut text = summary(&outputs, &requests, &reports);
        text += &format!("the adapter changes {} matrices", merge.adapter().len());
        match merge.adapter().rows() {
            0 => {}
            rows => text += &format!(" and {rows} rows of tokens"),
        }
        text.push('\n');
        Ok(text.into())
    }
}
