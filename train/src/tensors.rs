//! Weights in safetensors files: one file, or several with an index; F32, F16 or BF16 when read, F32 when written.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorInfo};
use serde::Deserialize;

use crate::error::{Result, TrainError};
use crate::files::replace_with;
use crate::model::parameters::{ParameterLayout, TensorSpec};

/// The file of a folder that holds all weights.
pub const WHOLE: &str = "model.safetensors";
/// Where there are several, the file that says which holds what.
pub const INDEX: &str = "model.safetensors.index.json";
/// Files at most.
const MOST_FILES: usize = 1000;

/// Reads the tensors of `layout` from a folder's files; each may land at the beginning of a longer place in the flat vector of
/// `room`, a layout of more tokens and otherwise the same network.
///
/// # Errors
/// When a file is missing or broken, a tensor is missing or has another shape or type, or there is one in a block that the network has not.
pub fn read(folder: &Path, layout: &ParameterLayout, room: &ParameterLayout) -> Result<Vec<f32>> {
    let files = Files::open(folder)?;
    let parsed = files.parse()?;
    let find = |name: &str| {
        let found = parsed.iter().find_map(|(path, file)| {
            let tensor = file.tensor(name).ok()?;
            Some((*path, tensor))
        });
        found.ok_or_else(|| TrainError::checkpoint(folder, format!("it holds no tensor {name}")))
    };
    // Everything is looked at before anything is allocated: sizes in a configuration are only claims.
    let mut sources = Vec::new();
    for spec in layout.tensors() {
        let (path, tensor) = find(&spec.name)?;
        let known = matches!(tensor.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16);
        if tensor.shape() != spec.shape || !known {
            return Err(TrainError::checkpoint(
                path,
                format!(
                    "{} is {:?} {:?}, the configuration asks for F32, F16 or BF16 {:?}",
                    spec.name,
                    tensor.dtype(),
                    tensor.shape(),
                    spec.shape
                ),
            ));
        }
        sources.push(tensor);
    }
    let known: HashSet<&str> = layout
        .tensors()
        .iter()
        .map(|spec| spec.name.as_str())
        .collect();
    for (path, file) in &parsed {
        let mut strays = file.names().into_iter();
        if let Some(name) = strays.find(|name| is_stray(name, &known)) {
            return Err(TrainError::checkpoint(
                path,
                format!(
                    "it holds {name}, for which {} has no place; without it the network would be another",
                    layout.shape().architecture.class()
                ),
            ));
        }
    }
    let mut weights = vec![0.0; room.total()];
    for ((spec, place), tensor) in layout.tensors().iter().zip(room.tensors()).zip(sources) {
        let start = place.range.start;
        let to = &mut weights[start..start + spec.range.len()];
        decode(tensor.dtype(), tensor.data(), to);
    }
    Ok(weights)
}

/// Whether a tensor belongs to a block of another network. A tied output matrix that stands there all the same, and what is computed from the
/// configuration, changes nothing.
fn is_stray(name: &str, known: &HashSet<&str>) -> bool {
    name.starts_with("model.layers.") && !name.ends_with(".inv_freq") && !known.contains(name)
}

fn decode(kind: Dtype, bytes: &[u8], to: &mut [f32]) {
    match kind {
        Dtype::F32 => {
            for (to, bytes) in to.iter_mut().zip(bytes.as_chunks().0) {
                *to = f32::from_le_bytes(*bytes);
            }
        }
        Dtype::F16 => {
            for (to, bytes) in to.iter_mut().zip(bytes.as_chunks().0) {
                *to = f16::from_le_bytes(*bytes).to_f32();
            }
        }
        _ => {
            for (to, bytes) in to.iter_mut().zip(bytes.as_chunks().0) {
                *to = bf16::from_le_bytes(*bytes).to_f32();
            }
        }
    }
}

/// The files of a folder, mapped.
struct Files {
    maps: Vec<(PathBuf, Mmap)>,
}

impl Files {
    fn open(folder: &Path) -> Result<Self> {
        let index = folder.join(INDEX);
        let whole = folder.join(WHOLE);
        let names = if whole.exists() || !index.exists() {
            vec![whole]
        } else {
            shards(folder, &index)?
        };
        let maps = names.into_iter().map(|path| {
            let file = File::open(&path).map_err(TrainError::io(&path))?;
            // SAFETY: the map is only read. Another process that rewrites the file in place could change the numbers, as it
            // could between two reads; what we write ourselves is renamed into place.
            let map = unsafe { Mmap::map(&file) }.map_err(TrainError::io(&path))?;
            Ok((path, map))
        });
        Ok(Self {
            maps: maps.collect::<Result<_>>()?,
        })
    }

    fn parse(&self) -> Result<Vec<(&Path, SafeTensors<'_>)>> {
        let parsed = self.maps.iter().map(|(path, map)| {
            let file =
                SafeTensors::deserialize(map).map_err(|e| TrainError::checkpoint(path, e))?;
            Ok((path.as_path(), file))
        });
        parsed.collect()
    }
}

/// The files that an index names.
fn shards(folder: &Path, index: &Path) -> Result<Vec<PathBuf>> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let bytes = std::fs::read(index).map_err(TrainError::io(index))?;
    let parsed: Index =
        serde_json::from_slice(&bytes).map_err(|error| TrainError::checkpoint(index, error))?;
    let names: BTreeSet<String> = parsed.weight_map.into_values().collect();
    let plain = |name: &String| Path::new(name).file_name() == Some(name.as_ref());
    if names.len() > MOST_FILES || !names.iter().all(plain) {
        return Err(TrainError::checkpoint(
            index,
            format!("it must name 1 to {MOST_FILES} files of its own folder"),
        ));
    }
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// A named tensor of F32 to write.
#[derive(Debug)]
pub struct Named<'a> {
    /// Rows and columns, or the length of a vector.
    pub shape: Vec<usize>,
    /// Its elements.
    pub values: &'a [f32],
}

/// Writes the weights of a layout as one file.
///
/// # Errors
/// When the file cannot be written; an older one is then untouched.
pub fn write(path: &Path, layout: &ParameterLayout, weights: &[f32]) -> Result<()> {
    let named = |tensor: &TensorSpec| {
        let view = Named {
            shape: tensor.shape.clone(),
            values: &weights[tensor.range.clone()],
        };
        (tensor.name.clone(), view)
    };
    write_named(path, layout.tensors().iter().map(named).collect())
}

/// Writes tensors as one file.
///
/// # Errors
/// As [`fn@write`].
pub fn write_named(path: &Path, tensors: Vec<(String, Named<'_>)>) -> Result<()> {
    let mut end = 0;
    let infos = tensors.iter().map(|(name, tensor)| {
        let start = end;
        end += tensor.values.len() * 4;
        let info = TensorInfo {
            dtype: Dtype::F32,
            shape: tensor.shape.clone(),
            data_offsets: (start, end),
        };
        (name.clone(), info)
    });
    let format = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let header = Metadata::new(Some(format), infos.collect())
        .map_err(|error| TrainError::checkpoint(path, error))?;
    let mut header = serde_json::to_vec(&header).expect("a header is plain data");
    header.resize(header.len().next_multiple_of(8), b' ');
    // The crate's own writer would make a second file of a name of its own, for one user alone.
    replace_with(path, |beside| {
        let file = File::create(beside).map_err(TrainError::io(beside))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(TrainError::io(beside));
        put(&(header.len() as u64).to_le_bytes())?;
        put(&header)?;
        for (_, tensor) in &tensors {
            for value in tensor.values {
                put(&value.to_le_bytes())?;
            }
        }
        file.flush().map_err(TrainError::io(beside))
    })
}
