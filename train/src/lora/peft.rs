//! Adapters in PEFT's form, which PEFT loads and `stride-convert lora` merges.

use std::path::Path;

use serde_json::json;

use super::config::LoraConfig;
use super::layout::{AdapterLayout, GROUPS};
use crate::checkpoint::write_json;
use crate::error::Result;
use crate::files::create_folder;
use crate::tensors::{Named, write_named};

/// What PEFT puts before the name of a module.
const PREFIX: &str = "base_model.model.";

/// Writes `adapter_config.json` and `adapter_model.safetensors`. The rows of the markers stand in them as PEFT's trainable tokens.
///
/// # Errors
/// When a file cannot be written.
pub fn write(
    folder: &Path,
    layout: &AdapterLayout,
    config: &LoraConfig,
    flat: &[f32],
) -> Result<()> {
    create_folder(folder)?;
    let mut tensors = Vec::new();
    for block in 0..layout.blocks() {
        for index in 0..GROUPS {
            let group = &layout.groups[index];
            let values = &flat[layout.group(block, index)];
            let downs = values[group.down()].chunks_exact(group.rank * group.input);
            for ((part, up), down) in group.ups().zip(downs) {
                let module = part.target.module();
                let name =
                    |side| format!("{PREFIX}model.layers.{block}.{module}.lora_{side}.weight");
                let rows = part.columns.len();
                tensors.push((name('A'), named(vec![group.rank, group.input], down)));
                tensors.push((name('B'), named(vec![rows, group.rank], &values[up])));
            }
        }
    }
    let mut rows = |module: &str, place: std::ops::Range<usize>| {
        let tokens = layout.tokens.len();
        let shape = vec![tokens, place.len() / tokens.max(1)];
        let name = format!("{PREFIX}{module}.token_adapter.trainable_tokens_delta");
        tensors.push((name, named(shape, &flat[place])));
    };
    rows("model.embed_tokens", layout.input_rows());
    let tokens = if layout.tied() {
        json!(layout.tokens)
    } else {
        rows("lm_head", layout.output_rows());
        json!({"embed_tokens": layout.tokens, "lm_head": layout.tokens})
    };
    write_named(&folder.join("adapter_model.safetensors"), tensors)?;
    let targets: Vec<&str> = config.targets.iter().map(|target| target.name()).collect();
    write_json(
        &folder.join("adapter_config.json"),
        &json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": null,
            "inference_mode": true,
            "r": config.r,
            "lora_alpha": config.alpha,
            "lora_dropout": config.dropout,
            "target_modules": targets,
            "trainable_token_indices": tokens,
            "bias": "none",
            "fan_in_fan_out": false,
            "init_lora_weights": true,
            "modules_to_save": null,
            "use_dora": false,
            "use_rslora": false,
        }),
    )
}

fn named(shape: Vec<usize>, values: &[f32]) -> Named<'_> {
    Named { shape, values }
}
