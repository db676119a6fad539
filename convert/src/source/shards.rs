//! `model.safetensors.index.json`: which file of the folder holds which tensor.
//!
//! ```json
//! { "metadata": { "total_size": 123 }, "weight_map": { "model.norm.weight": "model-00001-of-00002.safetensors" } }
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::SourceError;

/// Name in the checkpoint directory.
pub const FILE: &str = "model.safetensors.index.json";
/// Bytes at most: some 100,000 tensors.
pub const MOST_BYTES: u64 = 16 << 20;
/// Files at most, each of which is mapped.
pub(crate) const MOST_FILES: usize = 1024;
/// Bytes of a file name at most, as file systems allow.
const MOST_NAME: usize = 255;

/// The usual name of file `index` of `count`.
#[must_use]
pub fn name(index: usize, count: usize) -> String {
    format!("model-{:05}-of-{count:05}.safetensors", index + 1)
}

/// What stands in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardIndex {
    path: PathBuf,
    weight_map: BTreeMap<String, String>,
    files: BTreeSet<String>,
}

#[derive(Deserialize)]
struct RawIndex {
    weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    /// Reads `bytes`, the content of `path`.
    ///
    /// # Errors
    ///
    /// When it is malformed, names too many files, or one that is no plain safetensors file of the same folder.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SourceError> {
        let raw: RawIndex = serde_json::from_slice(bytes).map_err(|source| SourceError::Json {
            path: path.to_owned(),
            source,
        })?;
        let index = Self {
            path: path.to_owned(),
            files: raw.weight_map.values().cloned().collect(),
            weight_map: raw.weight_map,
        };
        if !(1..=MOST_FILES).contains(&index.files.len()) {
            let count = index.files.len();
            return Err(index.refuse(format!(
                "names {count} files; 1 to {MOST_FILES} are allowed"
            )));
        }
        if let Some(name) = index.files.iter().find(|name| !is_plain(name)) {
            return Err(index.refuse(format!(
                "names the file {name:?}; only NAME.safetensors beside the index, of letters, digits, '-', '_' and \
                 '.', is opened"
            )));
        }
        Ok(index)
    }

    /// The files in alphabetical order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Refuses a tensor that was found in `file` and belongs elsewhere.
    pub(super) fn expect(&self, tensor: &str, file: &str) -> Result<(), SourceError> {
        match self.weight_map.get(tensor) {
            Some(place) if place == file => Ok(()),
            Some(place) => Err(self.refuse(format!(
                "places tensor {tensor:?} in {place}, but {file} holds one of that name"
            ))),
            None => Err(self.refuse(format!(
                "does not list tensor {tensor:?}, which {file} holds"
            ))),
        }
    }

    /// Refuses a tensor that is listed and was not found.
    pub(super) fn check_complete(&self, found: impl Fn(&str) -> bool) -> Result<(), SourceError> {
        match self.weight_map.iter().find(|(tensor, _)| !found(tensor)) {
            None => Ok(()),
            Some((tensor, file)) => Err(self.refuse(format!(
                "places tensor {tensor:?} in {file}, which does not hold it"
            ))),
        }
    }

    fn refuse(&self, problem: String) -> SourceError {
        SourceError::Field {
            path: self.path.clone(),
            field: "weight_map".to_owned(),
            problem,
        }
    }
}

/// A name that cannot lead out of the folder.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= MOST_NAME
        && !name.starts_with('.')
        && name.ends_with(".safetensors")
        && name.bytes().all(plain)
}
