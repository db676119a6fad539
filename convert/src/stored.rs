//! A model as it stands in a GGUF file, or in several that belong together: what `requantize`, `dequantize` and `diff`
//! read.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::RowPlace;
use crate::error::Error;
use crate::gguf::{GgufFile, Metadata, TensorEntry, TensorInfo, TensorType, split};
use crate::map::MappedFile;
use crate::quantize::{self, RowError};
use crate::source::{Provenance, SourceError};

/// A tensor of a stored model.
#[derive(Debug, Clone)]
pub struct StoredTensor {
    /// Name, shape and type.
    pub info: TensorInfo,
    /// Rows, and weights per row.
    pub rows_columns: (usize, usize),
    file: usize,
    place: Range<usize>,
}

impl StoredTensor {
    /// Bytes of some rows, from the beginning of the tensor on.
    fn bytes(&self, rows: &Range<usize>) -> Range<usize> {
        let row = self.place.len() / self.rows_columns.0.max(1);
        let start = self.place.start;
        start + rows.start * row..start + rows.end * row
    }
}

/// The files of a model, memory-mapped.
#[derive(Debug)]
pub struct StoredModel {
    /// All metadata but what says which part of the model a file is.
    pub metadata: Metadata,
    /// All tensors, in the order of the files.
    pub tensors: Vec<StoredTensor>,
    files: Vec<(PathBuf, MappedFile)>,
}

impl StoredModel {
    /// The model in `file`, which would stand at `path` (which is only named in errors); all of it, even where it says
    /// that it is one of several.
    ///
    /// # Errors
    ///
    /// When it is refused by the reader.
    pub fn of(path: &Path, file: MappedFile) -> Result<Self, Error> {
        let mut model = Self::empty();
        model.metadata = model.add(path, file)?;
        Ok(model)
    }

    fn empty() -> Self {
        Self {
            metadata: Metadata::new(),
            tensors: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Opens the file at `path` and, when it is the first of several, the others beside it.
    ///
    /// # Errors
    ///
    /// When a file cannot be opened or is refused by the reader, and when the files of a model contradict each other
    /// or `path` is not the first.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let mut model = Self::empty();
        model.metadata = model.add(path, map(path)?)?;
        if let Some(parts) = Parts::of(path, &model.metadata)? {
            for index in 1..parts.count {
                let path = split::path(&parts.whole, index, parts.count);
                let metadata = model.add(&path, map(&path)?)?;
                parts.check(&path, &metadata, index)?;
            }
            parts.check_tensors(path, &model.tensors)?;
        }
        for key in split::KEYS {
            model.metadata.remove(key);
        }
        let mut names = HashSet::new();
        for tensor in &model.tensors {
            if !names.insert(tensor.info.name.as_str()) {
                let name = &tensor.info.name;
                let problem = format!("the tensor {name:?} stands in two of them");
                return Err(refuse(&model.files[tensor.file].0, problem));
            }
        }
        Ok(model)
    }

    /// Adds one more file and returns its metadata.
    fn add(&mut self, path: &Path, map: MappedFile) -> Result<Metadata, Error> {
        let file = GgufFile::parse(map.bytes()).map_err(|source| Error::Gguf {
            path: path.to_owned(),
            source,
        })?;
        let index = self.files.len();
        let stored = |tensor: &TensorEntry| {
            let info = TensorInfo {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                kind: tensor.kind,
            };
            StoredTensor {
                rows_columns: info.rows_columns(),
                info,
                file: index,
                place: file.place(tensor),
            }
        };
        self.tensors.extend(file.tensors.iter().map(stored));
        let metadata = file.metadata;
        self.files.push((path.to_owned(), map));
        Ok(metadata)
    }

    /// The first file, for errors.
    #[must_use]
    pub fn path(&self) -> &Path {
        // Opening has put one there.
        self.files.first().map_or(Path::new(""), |file| &file.0)
    }

    /// Refuses the model.
    pub(crate) fn refuse(&self, problem: String) -> Error {
        Error::Model {
            path: self.path().to_owned(),
            problem,
        }
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&StoredTensor> {
        self.tensors.iter().find(|tensor| tensor.info.name == name)
    }

    /// The stored bytes of some rows.
    #[must_use]
    pub fn stored(&self, tensor: &StoredTensor, rows: &Range<usize>) -> &[u8] {
        &self.files[tensor.file].1.bytes()[tensor.bytes(rows)]
    }

    /// Appends the weights of a row.
    ///
    /// # Errors
    ///
    /// When the type has no dequantizer here.
    pub fn read(
        &self,
        tensor: &StoredTensor,
        row: usize,
        weights: &mut Vec<f32>,
    ) -> Result<(), RowError> {
        let bytes = self.stored(tensor, &(row..row + 1));
        quantize::decode_row(tensor.info.kind, bytes, weights)
    }

    /// Lets go of the memory that reading some rows took.
    pub fn release(&self, tensor: &StoredTensor, rows: &Range<usize>) {
        self.files[tensor.file].1.release(&tensor.bytes(rows));
    }

    /// Says which weight of a tensor could not be stored as `kind`.
    pub(crate) fn refuse_row(
        &self,
        tensor: &StoredTensor,
        row: usize,
        kind: TensorType,
        error: RowError,
    ) -> Error {
        let name = tensor.info.name.clone();
        if let RowError::Unsupported(kind) = error {
            return self.refuse(format!(
                "tensor {name:?} is {kind}, which cannot be decoded here"
            ));
        }
        let place = RowPlace {
            name,
            row,
            columns: tensor.rows_columns.1,
            weights: None,
        };
        place.refuse(kind, error)
    }

    /// Name and digest of every file.
    pub(crate) fn sources(
        &self,
        digest: impl Fn(&Path) -> Result<String, SourceError> + Sync,
    ) -> Result<Vec<Provenance>, Error> {
        let of = |(path, _): &(PathBuf, MappedFile)| {
            let name = path.file_name().unwrap_or_default();
            Ok(Provenance {
                file: name.to_string_lossy().into_owned(),
                sha256: digest(path)?,
            })
        };
        self.files.par_iter().map(of).collect()
    }
}

fn map(path: &Path) -> Result<MappedFile, Error> {
    MappedFile::open(path).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })
}

/// What the first file says about the others.
struct Parts {
    whole: PathBuf,
    count: usize,
    tensors: Option<u64>,
}

impl Parts {
    /// `None` for a model in one file.
    fn of(path: &Path, metadata: &Metadata) -> Result<Option<Self>, Error> {
        let claim = match metadata.get(split::COUNT_KEY) {
            None => return Ok(None),
            Some(_) => metadata.unsigned(split::COUNT_KEY),
        };
        let count = match claim.map(usize::try_from) {
            Some(Ok(count)) if (1..=split::MOST_FILES).contains(&count) => count,
            _ => {
                let most = split::MOST_FILES;
                let problem = format!(
                    "its number of files is not 1 to {most} ({})",
                    split::COUNT_KEY
                );
                return Err(refuse(path, problem));
            }
        };
        let number = metadata.unsigned(split::NUMBER_KEY);
        if number != Some(0) {
            let problem = match number {
                Some(number) => format!(
                    "not the first; name that one ({} is {number})",
                    split::NUMBER_KEY
                ),
                None => format!("it does not say which ({})", split::NUMBER_KEY),
            };
            return Err(refuse(path, problem));
        }
        if count == 1 {
            return Ok(None);
        }
        let Some(whole) = split::whole(path, 0, count) else {
            let problem = format!(
                "its name does not end in -00001-of-{count:05}.gguf, by which the others would be found; give it back its name"
            );
            return Err(refuse(path, problem));
        };
        let tensors = metadata.unsigned(split::TENSORS_KEY);
        Ok(Some(Self {
            whole,
            count,
            tensors,
        }))
    }

    fn check(&self, path: &Path, metadata: &Metadata, index: usize) -> Result<(), Error> {
        for (key, expected) in [(split::NUMBER_KEY, index), (split::COUNT_KEY, self.count)] {
            let is = metadata.unsigned(key);
            if is != Some(expected as u64) {
                let is = is.map_or_else(|| "absent".to_owned(), |is| is.to_string());
                let problem = format!("{key} is {is} where its name makes it {expected}");
                return Err(refuse(path, problem));
            }
        }
        Ok(())
    }

    fn check_tensors(&self, path: &Path, tensors: &[StoredTensor]) -> Result<(), Error> {
        match self.tensors {
            Some(claim) if claim != tensors.len() as u64 => {
                let problem = format!(
                    "the files hold {} tensors and not {claim}, as {} says; are they of one model?",
                    tensors.len(),
                    split::TENSORS_KEY
                );
                Err(refuse(path, problem))
            }
            _ => Ok(()),
        }
    }
}

fn refuse(path: &Path, problem: String) -> Error {
    Error::Split {
        path: path.to_owned(),
        problem,
    }
}
