//! Everything a run needs to go on exactly where it stopped, in one file that is replaced atomically.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use stride_firmware_config::capacity;

use super::config::BcConfig;
use super::evaluate::Evaluation;
use super::samples::DataPosition;
use crate::data::DataFile;
use crate::error::{Result, TrainError};
use crate::files::write_atomically;
use crate::optimizer::OptimizerState;
use crate::rl::config::RlSettings;

/// The state of the last checkpoint, in the run's folder.
pub const LAST: &str = "last.safetensors";
/// The weights with the best held-out score, in the run's folder.
pub const BEST: &str = "best.safetensors";

/// The key of the record in the files' metadata.
const KEY: &str = "stride_run";
/// Version of the record.
const VERSION: u32 = 1;

/// What a run's files say beside their tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of this record.
    pub version: u32,
    /// Optimizer steps done.
    pub step: u64,
    /// Input tokens seen.
    pub tokens: u64,
    /// Where the run stands in its data.
    pub position: DataPosition,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Issued subtasks that the policy reads by name.
    #[serde(default = "every_completed")]
    pub completed: usize,
    /// Settings.
    pub config: BcConfig,
    /// Data files.
    pub data: Vec<DataFile>,
    /// Mean training loss since the last log line before this record.
    pub loss: Option<f64>,
    /// The last evaluation.
    pub evaluation: Option<Evaluation>,
    /// The best held-out score so far.
    pub best: Option<f64>,
    /// How the samples were weighed, when this was the second stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rl: Option<RlSettings>,
    /// SHA-256 of the frozen weights that the run's adapters stand beside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// What runs from before there was the choice read.
const fn every_completed() -> usize {
    capacity::COMPLETED
}

impl RunRecord {
    /// The record before the first step.
    #[must_use]
    pub fn new(config: BcConfig, vocab_size: usize, data: Vec<DataFile>) -> Self {
        Self {
            version: VERSION,
            step: 0,
            tokens: 0,
            position: DataPosition::default(),
            vocab_size,
            completed: capacity::COMPLETED,
            config,
            data,
            loss: None,
            evaluation: None,
            best: None,
            rl: None,
            base: None,
        }
    }
}

/// Writes the whole state.
///
/// # Errors
/// When the file cannot be written; an older one is then untouched.
pub fn save(path: &Path, record: &RunRecord, state: &OptimizerState) -> Result<()> {
    let parts = [
        ("weights", state.weights.as_slice()),
        ("first", &state.first),
        ("second", &state.second),
        ("average", &state.average),
    ];
    write(path, record, &parts)
}

/// Writes weights alone.
///
/// # Errors
/// As [`save`].
pub fn save_weights(path: &Path, record: &RunRecord, weights: &[f32]) -> Result<()> {
    write(path, record, &[("weights", weights)])
}

/// Reads what [`save`] wrote.
///
/// # Errors
/// When the file cannot be read or is not a state.
pub fn load(path: &Path) -> Result<(RunRecord, OptimizerState)> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    let (record, tensors) = parse(path, &bytes)?;
    let state = OptimizerState {
        weights: vector(path, &tensors, "weights")?,
        first: vector(path, &tensors, "first")?,
        second: vector(path, &tensors, "second")?,
        average: vector(path, &tensors, "average")?,
    };
    let len = state.weights.len();
    if state.first.len() != len
        || state.second.len() != len
        || !(state.average.is_empty() || state.average.len() == len)
    {
        return Err(TrainError::checkpoint(path, "its vectors differ in length"));
    }
    Ok((record, state))
}

/// Reads the weights to export: the average if there is one, else the weights.
///
/// # Errors
/// As [`load`].
pub fn load_weights(path: &Path) -> Result<(RunRecord, Vec<f32>)> {
    let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
    let (record, tensors) = parse(path, &bytes)?;
    let average = vector(path, &tensors, "average").unwrap_or_default();
    let weights = if average.is_empty() {
        vector(path, &tensors, "weights")?
    } else {
        average
    };
    Ok((record, weights))
}

/// Writes a record and flat vectors as one file.
pub(crate) fn write<R: Serialize>(path: &Path, record: &R, parts: &[(&str, &[f32])]) -> Result<()> {
    let json = serde_json::to_string(record).expect("a record is plain data");
    let bytes: Vec<(&str, Vec<u8>)> = parts
        .iter()
        .map(|(name, values)| (*name, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
        .collect();
    let mut views = Vec::new();
    for (name, data) in &bytes {
        let view = TensorView::new(Dtype::F32, vec![data.len() / 4], data)
            .map_err(|error| TrainError::checkpoint(path, error))?;
        views.push((*name, view));
    }
    let metadata = HashMap::from([(KEY.to_owned(), json)]);
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| TrainError::checkpoint(path, error))?;
    write_atomically(path, &file)
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<(RunRecord, SafeTensors<'a>)> {
    let (record, tensors): (RunRecord, _) = parse_any(path, bytes)?;
    if record.version != VERSION {
        return Err(TrainError::checkpoint(
            path,
            format!(
                "its version is {}, this program knows {VERSION}",
                record.version
            ),
        ));
    }
    Ok((record, tensors))
}

/// The record and the vectors of what [`write`] wrote.
pub(crate) fn parse_any<'a, R: serde::de::DeserializeOwned>(
    path: &Path,
    bytes: &'a [u8],
) -> Result<(R, SafeTensors<'a>)> {
    let refuse = |reason: String| TrainError::checkpoint(path, reason);
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| refuse(error.to_string()))?;
    let json = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(KEY))
        .ok_or_else(|| refuse(format!("it has no `{KEY}` record")))?;
    let record: R =
        serde_json::from_str(json).map_err(|error| refuse(format!("its record: {error}")))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| refuse(error.to_string()))?;
    Ok((record, tensors))
}

/// One of the vectors.
pub(crate) fn vector(path: &Path, tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>> {
    let tensor = tensors
        .tensor(name)
        .map_err(|error| TrainError::checkpoint(path, error))?;
    if tensor.dtype() != Dtype::F32 {
        return Err(TrainError::checkpoint(
            path,
            format!("`{name}` is {:?}, not F32", tensor.dtype()),
        ));
    }
    Ok(floats(tensor.data()))
}

/// Little-endian bytes as numbers.
pub(crate) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_its_file_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LAST);
        let state = OptimizerState {
            weights: vec![1.0, f32::MIN_POSITIVE / 3.0, -0.0],
            first: vec![1e-30, 2.0, 3.0],
            second: vec![4.0, 5.0, 6.0],
            average: vec![0.1, 0.2, 0.3],
        };
        let mut record = RunRecord::new(BcConfig::default(), 1536, Vec::new());
        record.step = 17;
        record.best = Some(0.1 + 0.2);
        save(&path, &record, &state).unwrap();
        let (read, found) = load(&path).unwrap();
        assert_eq!(read, record);
        let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.weights), bits(&state.weights));
        assert_eq!(found, state);
        assert_eq!(load_weights(&path).unwrap().1, state.average);
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        std::fs::write(&path, b"not a checkpoint").unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("x.safetensors"), "{error}");
    }
}
