//! A model in several files, as llama.cpp reads them: `NAME-00001-of-00003.gguf`, and keys that say which part of how
//! many a file is. The first holds all metadata, the others nothing but those keys.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::WriteError;
use super::metadata::{Metadata, Value};
use super::writer::{TensorInfo, data_bytes, header_bytes};

/// Number of a file, from 0 on.
pub const NUMBER_KEY: &str = "split.no";
/// Number of files.
pub const COUNT_KEY: &str = "split.count";
/// Number of tensors in all files together.
pub const TENSORS_KEY: &str = "split.tensors.count";
/// All of these keys.
pub const KEYS: [&str; 3] = [NUMBER_KEY, COUNT_KEY, TENSORS_KEY];
/// Files of a model at most, each of which is mapped when it is read.
pub const MOST_FILES: usize = 1024;

/// The ending of the path of file `index` of `count`.
fn ending(index: usize, count: usize) -> String {
    format!("-{:05}-of-{count:05}.gguf", index + 1)
}

/// The path of file `index` of `count`; `whole` is that of the model in one file, and its ending `.gguf` makes way.
#[must_use]
pub fn path(whole: &Path, index: usize, count: usize) -> PathBuf {
    let name = whole.file_name().unwrap_or_default();
    let stem = match whole.extension() {
        Some(extension) if extension == "gguf" => whole.file_stem().unwrap_or(name),
        _ => name,
    };
    let mut name = stem.to_owned();
    name.push(ending(index, count));
    whole.with_file_name(name)
}

/// The path of the model in one file, when `path` is that of file `index` of `count`.
#[must_use]
pub fn whole(path: &Path, index: usize, count: usize) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(&ending(index, count))?;
    (!stem.is_empty()).then(|| path.with_file_name(format!("{stem}.gguf")))
}

/// The metadata of file `index` of `count` of a model with `tensors` tensors.
#[must_use]
pub fn metadata(whole: &Metadata, index: usize, count: usize, tensors: usize) -> Metadata {
    let mut metadata = if index == 0 {
        whole.clone()
    } else {
        Metadata::new()
    };
    // The types are those that llama.cpp asks for; at most 1024 files and, by the writer, 2^31 tensors.
    metadata.set(NUMBER_KEY, Value::U16(index as u16));
    metadata.set(COUNT_KEY, Value::U16(count as u16));
    metadata.set(TENSORS_KEY, Value::I32(tensors as i32));
    metadata
}

/// Cuts a model into files of `most` bytes: the tensors of each, in order. One range where it fits in one file.
///
/// # Errors
///
/// When a tensor has no size, or there are more than [`MOST_FILES`] files.
pub fn cut(
    whole: &Metadata,
    tensors: &[TensorInfo],
    most: u64,
) -> Result<Vec<Range<usize>>, WriteError> {
    if super::file_bytes(whole, tensors)? <= most || tensors.is_empty() {
        return Ok(std::iter::once(0..tensors.len()).collect());
    }
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    while start < tensors.len() {
        // The keys have the same size for every number of files.
        let keys = metadata(whole, parts.len(), MOST_FILES, tensors.len());
        let mut header = header_bytes(&keys);
        let (mut end, mut data) = (start, 0);
        for tensor in &tensors[start..] {
            header += tensor.entry_bytes();
            data += data_bytes(tensor)?;
            let bytes = header.next_multiple_of(super::DEFAULT_ALIGNMENT) + data;
            if bytes > most && end > start {
                break;
            }
            end += 1;
        }
        parts.push(start..end);
        start = end;
        if parts.len() > MOST_FILES {
            return Err(WriteError::Files { most: MOST_FILES });
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::{TensorType, file_bytes};

    #[test]
    fn names_are_those_of_llama_cpp() {
        let part = path(Path::new("a/policy.gguf"), 1, 12);
        assert_eq!(part, Path::new("a/policy-00002-of-00012.gguf"));
        assert_eq!(
            whole(&part, 1, 12).as_deref(),
            Some(Path::new("a/policy.gguf"))
        );
        assert_eq!(whole(&part, 2, 12), None);
        assert_eq!(whole(Path::new("-00001-of-00002.gguf"), 0, 2), None);
        let plain = path(Path::new("policy"), 0, 2);
        assert_eq!(plain, Path::new("policy-00001-of-00002.gguf"));
    }

    #[test]
    fn every_file_keeps_the_limit_and_every_tensor_its_place() {
        let tensors: Vec<TensorInfo> = (0..9)
            .map(|at| TensorInfo {
                name: format!("t{at}"),
                shape: vec![32, 1 + at % 4],
                kind: TensorType::F32,
            })
            .collect();
        let mut all = Metadata::new();
        all.set("general.architecture", "llama");
        let parts = cut(&all, &tensors, 768).unwrap();
        assert!(parts.len() > 2, "{parts:?}");
        let mut next = 0;
        for (index, part) in parts.iter().enumerate() {
            assert_eq!(part.start, next);
            next = part.end;
            let metadata = metadata(&all, index, parts.len(), tensors.len());
            let bytes = file_bytes(&metadata, &tensors[part.clone()]).unwrap();
            assert!(bytes <= 768 || part.len() == 1, "{bytes}");
        }
        assert_eq!(next, tensors.len());
        assert_eq!(cut(&all, &tensors, 1 << 20).unwrap().len(), 1);
        assert_eq!(
            cut(&all, &tensors, 1).unwrap().len(),
            9,
            "a tensor is never cut"
        );
    }
}
