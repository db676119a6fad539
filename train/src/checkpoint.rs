//! Checkpoint folders in Hugging Face form: `config.json`, `tokenizer.json`, `model.safetensors` and `stride.json`.
//! They are what leaves the trainer: for `stride-convert`, for [`crate::policy::CandlePolicy`], or to go on from.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use stride_firmware_config::capacity;
use stride_firmware_config::frame::{COMPLETED_CAPACITY, LAYOUT_VERSION, Marker};

use crate::bc::state::RunRecord;
use crate::error::{Result, TrainError};
use crate::files::{create_folder, write_atomically};
use crate::model::network::Network;
use crate::model::parameters::ParameterLayout;
use crate::model::shape::HfConfig;
use crate::tensors;
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
        let tokenizer = FrameTokenizer::from_file(&folder.join("tokenizer.json"))?
            .reading(completed(folder, &stride)?);
        // A pretrained network may have rows that no token uses.
        if tokenizer.vocab_size() > config.vocab_size {
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
        let weights = tensors::read(folder, &layout, &layout)?;
        Ok(Self {
            network: Network::new(layout),
            weights,
            tokenizer,
        })
    }

    /// The same for frames with at most `completed` issued subtasks by name.
    #[must_use]
    pub fn reading(self, completed: usize) -> Self {
        Self {
            tokenizer: self.tokenizer.reading(completed),
            ..self
        }
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
        write_json(
            &folder.join("stride.json"),
            &stride_json(record, self.tokenizer.completed()),
        )
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
    tensors::write(&folder.join(tensors::WHOLE), layout, weights)
}

/// How many issued subtasks the policy of a `stride.json` reads by name; all where it does not say.
fn completed(folder: &Path, stride: &Value) -> Result<usize> {
    let Some(value) = stride
        .get("capacities")
        .and_then(|capacities| capacities.get(COMPLETED_CAPACITY))
    else {
        return Ok(capacity::COMPLETED);
    };
    let number = value
        .as_u64()
        .and_then(|number| usize::try_from(number).ok());
    number
        .filter(|number| (1..=capacity::COMPLETED).contains(number))
        .ok_or_else(|| {
            let most = capacity::COMPLETED;
            TrainError::checkpoint(
                folder,
                format!("its policy reads {value} issued subtasks (capacities.completed in stride.json); 1 to {most} can be"),
            )
        })
}

/// What the trainer says about a policy.
fn stride_json(record: &RunRecord, completed: usize) -> Value {
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
            (COMPLETED_CAPACITY): completed,
        },
        "markers": markers,
        "training": record,
    })
}

pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    serde_json::from_slice(&bytes).map_err(|error| TrainError::checkpoint(path, error))
}

pub(crate) fn write_json(path: &Path, value: &Value) -> Result<()> {
    write_atomically(path, format!("{value:#}\n").as_bytes())
}
