//! The form of today: a GGUF with a tensor of sums `NAME.in_sum2` and a tensor of counts `NAME.counts` for every matrix.

use std::collections::BTreeMap;

use super::{ImportanceError, ImportanceMatrix};
use crate::gguf::{GgufFile, TensorEntry, TensorType};

pub(super) const DATASETS: &str = "imatrix.datasets";
pub(super) const CHUNK_COUNT: &str = "imatrix.chunk_count";
pub(super) const CHUNK_SIZE: &str = "imatrix.chunk_size";
/// Behind the name of a matrix, for the sums of squares.
pub(super) const SUMS: &str = ".in_sum2";
/// The same for how many rows were summed.
pub(super) const COUNTS: &str = ".counts";

/// Sums and counts of a matrix, as far as they were found.
type Pair<'a> = (Option<&'a TensorEntry>, Option<&'a TensorEntry>);

pub(super) fn read(bytes: &[u8], matrix: &mut ImportanceMatrix) -> Result<(), ImportanceError> {
    let file = GgufFile::parse(bytes)?;
    for key in [DATASETS, CHUNK_COUNT, CHUNK_SIZE] {
        if file.metadata.get(key).is_none() {
            return Err(ImportanceError::MissingKey(key));
        }
    }
    let datasets = file.metadata.texts(DATASETS).unwrap_or_default();
    matrix.dataset = datasets.first().cloned();
    let chunks = file.metadata.unsigned(CHUNK_COUNT).unwrap_or(0);
    matrix.chunks = u32::try_from(chunks).unwrap_or(u32::MAX);
    let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for tensor in &file.tensors {
        if let Some(name) = tensor.name.strip_suffix(SUMS) {
            pairs.entry(name).or_default().0 = Some(tensor);
        } else if let Some(name) = tensor.name.strip_suffix(COUNTS) {
            pairs.entry(name).or_default().1 = Some(tensor);
        }
    }
    for (name, pair) in pairs {
        let refuse = |problem: &str| ImportanceError::Sums {
            name: name.to_owned(),
            problem: problem.to_owned(),
        };
        let (Some(sums), Some(counts)) = pair else {
            return Err(refuse("one of the two is missing"));
        };
        let sums = numbers(&file, sums).ok_or_else(|| refuse("the sums are not F32"))?;
        let counts = numbers(&file, counts).ok_or_else(|| refuse("the counts are not F32"))?;
        if sums.len() % counts.len() != 0 {
            let problem = format!("{} sums and {} counts", sums.len(), counts.len());
            return Err(refuse(&problem));
        }
        // llama.cpp rounds counts to whole numbers.
        let counts: Vec<f32> = counts.into_iter().map(f32::round).collect();
        matrix.add(name, sums, &counts)?;
    }
    if matrix.is_empty() {
        return Err(ImportanceError::MissingKey("NAME.in_sum2"));
    }
    Ok(())
}

/// The numbers of an F32 tensor. A tensor has at least one.
fn numbers(file: &GgufFile<'_>, tensor: &TensorEntry) -> Option<Vec<f32>> {
    let (words, _) = file.bytes(tensor).as_chunks::<4>();
    let numbers = words.iter().map(|&word| f32::from_le_bytes(word));
    (tensor.kind == TensorType::F32 && !words.is_empty()).then(|| numbers.collect())
}
