//! One policy out of several: the mean of their weights.
//!
//! Checkpoints of one training differ in what they learnt last and forgot first. Where they lie in one valley of the loss, as the
//! stages of a run do, the mean of their weights is better than each of them (Wortsman et al. 2022, "Model soups").

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stride_firmware_config::frame::COMPLETED_CAPACITY;

use crate::checkpoint::{Checkpoint, read_json, write_json};
use crate::error::{Result, TrainError};
use crate::files::{create_folder, write_atomically};
use crate::tensors;

/// What a checkpoint folder holds beside its weights; the same in all that are averaged.
const SAME: [&str; 2] = ["config.json", "tokenizer.json"];

/// Writes the mean of the checkpoints' weights, each counted by its share, as a checkpoint folder. The card says what it was made of.
///
/// The mean reads as many issued subtasks as the checkpoint that reads the fewest: those that read more know shorter lists from early steps.
///
/// `shares` are as many as `checkpoints`, or none: then all count alike. They need not sum to one.
///
/// # Errors
/// When there are fewer than two checkpoints, shares that are no positive numbers, a folder that cannot be read, or networks and
/// vocabularies that differ.
pub fn average(checkpoints: &[PathBuf], shares: &[f64], out: &Path) -> Result<()> {
    let alike = vec![1.0; checkpoints.len()];
    let shares = if shares.is_empty() { &alike } else { shares };
    if checkpoints.len() < 2 || shares.len() != checkpoints.len() {
        return Err(TrainError::Config {
            field: "shares",
            reason: format!(
                "{} checkpoints and {} shares: it takes two checkpoints or more, and a share for each or for none",
                checkpoints.len(),
                shares.len()
            ),
        });
    }
    if let Some(bad) = shares
        .iter()
        .find(|share| !(share.is_finite() && **share > 0.0))
    {
        return Err(TrainError::Config {
            field: "shares",
            reason: format!("{bad} is no positive number"),
        });
    }
    let total: f64 = shares.iter().sum();
    let first = &checkpoints[0];
    let mut sum: Vec<f64> = Vec::new();
    let mut parts = Vec::new();
    let mut completed = None;
    for (folder, share) in checkpoints.iter().zip(shares) {
        for name in SAME {
            let (one, other): (Value, Value) = (
                read_json(&first.join(name))?,
                read_json(&folder.join(name))?,
            );
            if one != other {
                return Err(TrainError::checkpoint(
                    &folder.join(name),
                    format!(
                        "it is not that of {}: only what was trained from one network and vocabulary can be averaged",
                        first.display()
                    ),
                ));
            }
        }
        let checkpoint = Checkpoint::load(folder)?;
        let reads = checkpoint.tokenizer.completed();
        completed = Some(completed.map_or(reads, |least: usize| least.min(reads)));
        sum.resize(checkpoint.weights.len(), 0.0);
        for (sum, weight) in sum.iter_mut().zip(&checkpoint.weights) {
            *sum += f64::from(*weight) * share / total;
        }
        let card: Value = read_json(&folder.join("stride.json"))?;
        parts.push(json!({ "share": share / total, "training": card.get("training") }));
    }
    #[allow(clippy::cast_possible_truncation, reason = "weights are f32")]
    let weights: Vec<f32> = sum.iter().map(|sum| *sum as f32).collect();
    let base = Checkpoint::load(first)?;
    create_folder(out)?;
    for name in SAME {
        let path = first.join(name);
        let bytes = std::fs::read(&path).map_err(TrainError::io(&path))?;
        write_atomically(&out.join(name), &bytes)?;
    }
    let mut card: Value = read_json(&first.join("stride.json"))?;
    if let Some(card) = card.as_object_mut() {
        card.remove("training");
        card.insert("averaged".into(), json!(parts));
        if let Some(capacities) = card.get_mut("capacities").and_then(Value::as_object_mut) {
            capacities.insert(COMPLETED_CAPACITY.into(), json!(completed));
        }
    }
    write_json(&out.join("stride.json"), &card)?;
    tensors::write(&out.join(tensors::WHOLE), base.network.layout(), &weights)
}
