//! `model.safetensors`, or the files of an index, memory-mapped.
//!
//! The crate `safetensors` checks that the header is bounded JSON and that the tensors tile the file without gap or
//! overlap and have the bytes their shapes need. What remains is to refuse types that are not read.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::{ShardIndex, SourceError};
use crate::map::MappedFile;

/// Name in the checkpoint directory.
pub const FILE: &str = "model.safetensors";

/// Bytes of the header at most: some 100,000 tensors.
const MOST_HEADER: u64 = 16 << 20;

/// How source weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightType {
    /// 32-bit floating point.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of an F32.
    Bf16,
}

impl WeightType {
    /// Bytes of a weight.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Appends the weights in `bytes`, exactly.
    pub fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        let pairs = || bytes.as_chunks::<2>().0.iter().copied();
        match self {
            Self::F32 => {
                let (quads, _) = bytes.as_chunks::<4>();
                out.extend(quads.iter().map(|&quad| f32::from_le_bytes(quad)));
            }
            Self::F16 => out.extend(pairs().map(|pair| f16::from_le_bytes(pair).to_f32())),
            Self::Bf16 => out.extend(pairs().map(|pair| bf16::from_le_bytes(pair).to_f32())),
        }
    }
}

impl fmt::Display for WeightType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        })
    }
}

impl FromStr for WeightType {
    type Err = String;

    /// Reads a name in any case.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::F32, Self::F16, Self::Bf16]
            .into_iter()
            .find(|kind| kind.to_string().eq_ignore_ascii_case(name))
            .ok_or_else(|| format!("weights are f32, f16 or bf16, not {name:?}"))
    }
}

/// One tensor.
#[derive(Debug, Clone)]
pub struct WeightEntry {
    /// How it is stored.
    pub kind: WeightType,
    /// Rows first.
    pub shape: Vec<usize>,
    file: usize,
    place: Range<usize>,
}

/// The weights of a checkpoint. Nothing is read until it is asked for.
#[derive(Debug)]
pub struct Weights {
    files: Vec<MappedFile>,
    entries: BTreeMap<String, WeightEntry>,
}

impl Weights {
    /// Maps the file and checks its header.
    ///
    /// # Errors
    ///
    /// When the file cannot be mapped, its header does not hold together, or a type is not read.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        Self::of(path, map(path)?)
    }

    /// The weights in `file`, which would stand at `path` (which is only named in errors).
    ///
    /// # Errors
    ///
    /// As [`Weights::open`].
    pub fn of(path: &Path, file: MappedFile) -> Result<Self, SourceError> {
        let mut weights = Self {
            files: Vec::new(),
            entries: BTreeMap::new(),
        };
        let entries = weights.add(path, file)?;
        weights.entries.extend(entries);
        Ok(weights)
    }

    /// Maps the files that `index`, of the same folder, names.
    ///
    /// # Errors
    ///
    /// As [`Weights::open`], and when a file holds other tensors than the index says.
    pub fn open_shards(directory: &Path, index: &ShardIndex) -> Result<Self, SourceError> {
        Self::of_shards(index, |file| {
            let path = directory.join(file);
            let map = map(&path)?;
            Ok((path, map))
        })
    }

    /// The weights of the files that `index` names, each with its path as `open` gives it.
    ///
    /// # Errors
    ///
    /// As [`Weights::open_shards`], and what `open` fails with.
    pub fn of_shards(
        index: &ShardIndex,
        mut open: impl FnMut(&str) -> Result<(PathBuf, MappedFile), SourceError>,
    ) -> Result<Self, SourceError> {
        let mut weights = Self {
            files: Vec::new(),
            entries: BTreeMap::new(),
        };
        for file in index.files() {
            let (path, map) = open(file)?;
            for (name, entry) in weights.add(&path, map)? {
                index.expect(&name, file)?;
                weights.entries.insert(name, entry);
            }
        }
        index.check_complete(|name| weights.entries.contains_key(name))?;
        Ok(weights)
    }

    /// Adds one more file and returns its tensors.
    fn add(
        &mut self,
        path: &Path,
        map: MappedFile,
    ) -> Result<Vec<(String, WeightEntry)>, SourceError> {
        check_header(path, map.bytes())?;
        let invalid = |source| SourceError::Safetensors {
            path: path.to_owned(),
            source,
        };
        let (header, metadata) = SafeTensors::read_metadata(map.bytes()).map_err(invalid)?;
        let data = 8 + header;
        let file = self.files.len();
        let mut entries = Vec::new();
        for (name, info) in metadata.tensors() {
            let kind = match info.dtype {
                Dtype::F32 => WeightType::F32,
                Dtype::F16 => WeightType::F16,
                Dtype::BF16 => WeightType::Bf16,
                other => {
                    return Err(SourceError::WeightType {
                        path: path.to_owned(),
                        name,
                        kind: format!("{other:?}"),
                    });
                }
            };
            let entry = WeightEntry {
                kind,
                shape: info.shape.clone(),
                file,
                place: data + info.data_offsets.0..data + info.data_offsets.1,
            };
            entries.push((name, entry));
        }
        self.files.push(map);
        Ok(entries)
    }

    /// Adds a vector that no file holds. One of the same name in a file is replaced.
    pub fn add_computed(&mut self, name: &str, vector: &[f32]) {
        let bytes: Vec<u8> = vector
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        let entry = WeightEntry {
            kind: WeightType::F32,
            shape: vec![vector.len()],
            file: self.files.len(),
            place: 0..bytes.len(),
        };
        self.files.push(bytes.into());
        self.entries.insert(name.to_owned(), entry);
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&WeightEntry> {
        self.entries.get(name)
    }

    /// All tensors, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &WeightEntry)> {
        self.entries
            .iter()
            .map(|(name, entry)| (name.as_str(), entry))
    }

    /// The stored bytes of a tensor of this checkpoint.
    #[must_use]
    pub fn bytes(&self, entry: &WeightEntry) -> &[u8] {
        &self.files[entry.file].bytes()[entry.place.clone()]
    }

    /// Lets go of the memory that reading some bytes of a tensor took.
    pub fn release(&self, entry: &WeightEntry, bytes: &Range<usize>) {
        let start = entry.place.start;
        let part = start + bytes.start..(start + bytes.end).min(entry.place.end);
        self.files[entry.file].release(&part);
    }
}

fn map(path: &Path) -> Result<MappedFile, SourceError> {
    MappedFile::open(path).map_err(|source| SourceError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Bounds the header before the crate `safetensors` reads it: that allows 100 MB of JSON, and adds up offsets without
/// a check, which panics in builds with overflow checks.
fn check_header(path: &Path, bytes: &[u8]) -> Result<(), SourceError> {
    let refuse = |problem: String| SourceError::Field {
        path: path.to_owned(),
        field: "the header".to_owned(),
        problem,
    };
    let Some((len, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(refuse("is missing; the file has less than 8 bytes".into()));
    };
    let len = u64::from_le_bytes(*len);
    let header = usize::try_from(len).ok().filter(|_| len <= MOST_HEADER);
    let Some(header) = header.and_then(|len| rest.get(..len)) else {
        let problem = format!(
            "claims {len} bytes; the file has {} more, and {MOST_HEADER} are allowed",
            rest.len()
        );
        return Err(refuse(problem));
    };
    let tensors: BTreeMap<String, Value> =
        serde_json::from_slice(header).map_err(|source| SourceError::Json {
            path: path.to_owned(),
            source,
        })?;
    for (name, tensor) in &tensors {
        let end = tensor.pointer("/data_offsets/1").and_then(Value::as_u64);
        if end.is_some_and(|end| end > bytes.len() as u64) {
            return Err(refuse(format!(
                "places tensor {name:?} beyond the end of the file"
            )));
        }
    }
    Ok(())
}
