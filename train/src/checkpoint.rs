//! Checkpoint folders in Hugging Face form: `config.json`, `tokenizer.json`, `model.safetensors` and `stride.json`.
//! They are what leaves the trainer: for `stride-convert`, for [`crate::policy::CandlePolicy`], or to go on from.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Value, json};
use stride_firmware_config::capacity;
use stride_firmware_config::frame::{LAYOUT_VERSION, Marker};

use crate::bc::state::{RunRecord, floats};
use crate::error::{Result, TrainError};
use crate::files::{create_folder, write_atomically};
use crate::model::network::Network;
use crate::model::parameters::ParameterLayout;
use crate::model::shape::HfConfig;
use crate::tokens::FrameTokenizer;

/// A network with its weights and its vocabulary.
#[derive(Debug)]
pub struct Checkpoint {
    /// Sizes and layout.
    pub network: Network,
    /// Flat weights.
    pub weights: Vec<f32>,
    /// The vocabulary.
    pub tokenizer: FrameTokenizer,
}

impl Checkpoint {
    /// Reads a checkpoint folder.
    ///
    /// # Errors
    /// When a file is missing or broken, speaks another layout version, or the files do not fit each other.
    pub fn load(folder: &Path) -> Result<Self> {
        let stride: Value = read_json(&folder.join("stride.json"))?;
        let version = stride.get("layout_version").and_then(Value::as_u64);
        if version != Some(LAYOUT_VERSION.into()) {
            return Err(TrainError::checkpoint(
                folder,
                format!("its layout version is {version:?}, this program speaks {LAYOUT_VERSION}"),
            ));
        }
        let config: HfConfig = read_json(&folder.join("config.json"))?;
        let shape = config.shape();
        shape.validate()?;
        let tokenizer = FrameTokenizer::from_file(&folder.join("tokenizer.json"))?;
        if tokenizer.vocab_size() != config.vocab_size {
            return Err(TrainError::checkpoint(
                folder,
                format!(
                    "the tokenizer has {} tokens, the network {}",
                    tokenizer.vocab_size(),
                    config.vocab_size
                ),
            ));
        }
        let layout = ParameterLayout::new(&shape, config.vocab_size);
        let weights = read_weights(&folder.join("model.safetensors"), &layout)?;
        Ok(Self {
            network: Network::new(layout),
            weights,
            tokenizer,
        })
    }

    /// Writes a checkpoint folder. `record` goes into the card.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, folder: &Path, record: &RunRecord) -> Result<()> {
        let ends = (
            self.tokenizer.marker(Marker::Begin),
            self.tokenizer.marker(Marker::End),
        );
        write_network(folder, self.network.layout(), &self.weights, ends)?;
        write_atomically(
            &folder.join("tokenizer.json"),
            self.tokenizer.to_json()?.as_bytes(),
        )?;
        write_json(&folder.join("stride.json"), &stride_json(record))
    }
}

/// Writes a network alone: `config.json` and `model.safetensors`. `ends` are the ids that open and close a sequence.
///
/// # Errors
/// When a file cannot be written.
pub fn write_network(
    folder: &Path,
    layout: &ParameterLayout,
    weights: &[f32],
    ends: (u32, u32),
) -> Result<()> {
    create_folder(folder)?;
    let config = HfConfig::new(layout.shape(), layout.vocab_size(), ends.0, ends.1);
    write_json(&folder.join("config.json"), &json!(config))?;
    write_weights(&folder.join("model.safetensors"), layout, weights)
}

/// What the trainer says about a policy.
fn stride_json(record: &RunRecord) -> Value {
    let markers: BTreeMap<String, &str> = Marker::ALL
        .iter()
        .map(|marker| (format!("{marker:?}").to_lowercase(), marker.token()))
        .collect();
    json!({
        "layout_version": LAYOUT_VERSION,
        "capacities": {
            "task": capacity::TASK,
            "scene": capacity::SCENE,
            "observation": capacity::OBSERVATION,
            "subtask": capacity::SUBTASK,
            "progress": capacity::PROGRESS,
            "action": capacity::ACTION,
        },
        "markers": markers,
        "training": record,
    })
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    serde_json::from_slice(&bytes).map_err(|error| TrainError::checkpoint(path, error))
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    write_atomically(path, format!("{value:#}\n").as_bytes())
}

fn write_weights(path: &Path, layout: &ParameterLayout, weights: &[f32]) -> Result<()> {
    let refuse = |error: safetensors::SafeTensorError| TrainError::checkpoint(path, error);
    let parts: Vec<(&str, &[usize], Vec<u8>)> = layout
        .tensors()
        .iter()
        .map(|tensor| {
            let bytes = weights[tensor.range.clone()]
                .iter()
                .flat_map(|w| w.to_le_bytes())
                .collect();
            (tensor.name.as_str(), tensor.shape.as_slice(), bytes)
        })
        .collect();
    let mut views = Vec::with_capacity(parts.len());
    for (name, shape, bytes) in &parts {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).map_err(refuse)?;
        views.push((*name, view));
    }
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    let file = safetensors::serialize(views, Some(metadata)).map_err(refuse)?;
    write_atomically(path, &file)
}

fn read_weights(path: &Path, layout: &ParameterLayout) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    let file =
        SafeTensors::deserialize(&bytes).map_err(|error| TrainError::checkpoint(path, error))?;
    let mut weights = vec![0.0; layout.total()];
    for spec in layout.tensors() {
        let tensor = file
            .tensor(&spec.name)
            .map_err(|error| TrainError::checkpoint(path, format!("{}: {error}", spec.name)))?;
        if tensor.shape() != spec.shape || tensor.dtype() != Dtype::F32 {
            return Err(TrainError::checkpoint(
                path,
                format!(
                    "{} is {:?} {:?}, the configuration asks for F32 {:?}",
                    spec.name,
                    tensor.dtype(),
                    tensor.shape(),
                    spec.shape
                ),
            ));
        }
        weights[spec.range.clone()].copy_from_slice(&floats(tensor.data()));
    }
    Ok(weights)
}
