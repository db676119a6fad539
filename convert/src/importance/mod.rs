//! Importance matrices: how much an error in a column of a matrix counts, measured as the mean square of what that
//! column is multiplied with. llama.cpp's `llama-imatrix` makes them; both of its file forms are read here, and [`measure`]
//! makes them too.

mod gguf_form;
mod legacy;
mod measure;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::Error;
use crate::gguf::{MAGIC, ReadError};
use crate::map::MappedFile;
use crate::quantize::{Member, TypeChoice};
pub use measure::{Measurement, measure};

/// What was measured for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportanceMatrix {
    /// The name of the file, without its folder.
    pub file: String,
    /// The first text it was measured on, where it says so.
    pub dataset: Option<String>,
    /// Chunks of text it was measured on.
    pub chunks: u32,
    /// For every matrix a number for every column, slice after slice.
    entries: BTreeMap<String, Vec<f32>>,
}

/// What is wrong with an importance matrix.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportanceError {
    /// The GGUF is refused.
    #[error(transparent)]
    Gguf(#[from] ReadError),
    /// Neither form.
    #[error(
        "at byte {offset}: {problem}; this is no importance matrix of llama-imatrix, or it is cut short"
    )]
    Form {
        /// Where.
        offset: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A GGUF that holds something else.
    #[error("{0:?} is missing; this is a GGUF, but no importance matrix of llama-imatrix")]
    MissingKey(&'static str),
    /// Sums and counts that do not belong together.
    #[error("the sums and the counts of {name:?} do not fit: {problem}")]
    Sums {
        /// The matrix.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A number that is no mean of squares.
    #[error(
        "the importance of column {column} of {name:?} is {value}, but a mean of squares is finite and not negative"
    )]
    Value {
        /// The matrix.
        name: String,
        /// The column, counted over all slices.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// Outputs of one run under different matrices.
    #[error("all outputs of one run are made under the same importance matrix; use several runs")]
    Several,
    /// It was measured on another model.
    #[error(
        "the importance matrix has {got} numbers for {name:?}, which has {expected} columns; it was made for another model"
    )]
    Columns {
        /// The matrix.
        name: String,
        /// What the model needs.
        expected: u64,
        /// What there is.
        got: usize,
    },
}

impl ImportanceMatrix {
    /// Reads the file at `path`, in llama.cpp's GGUF form or in the binary form it had before.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is neither, or holds numbers that are no mean squares.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let map = MappedFile::open(path).map_err(|source| Error::Open {
            path: path.to_owned(),
            source,
        })?;
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        Self::parse(map.bytes(), &file).map_err(|source| Error::Importance {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads the bytes of a file called `file`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, ImportanceError> {
        let mut matrix = Self {
            file: file.to_owned(),
            dataset: None,
            chunks: 0,
            entries: BTreeMap::new(),
        };
        if bytes.starts_with(&MAGIC) {
            gguf_form::read(bytes, &mut matrix)?;
        } else {
            legacy::read(bytes, &mut matrix)?;
        }
        Ok(matrix)
    }

    /// Number of matrices it speaks of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when it speaks of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A number for every column of the matrix `name`, slice after slice; `None` where nothing was measured.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&[f32]> {
        self.entries.get(name).map(Vec::as_slice)
    }

    /// All matrices by name, each with its numbers.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[f32])> {
        let entries = self.entries.iter();
        entries.map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Checks that it was measured on a model with these matrices. The embedding, which is looked up and not multiplied,
    /// may differ; its numbers are then not looked at.
    ///
    /// # Errors
    ///
    /// Names the first matrix of another width.
    pub fn check(&self, members: &[Member<'_>]) -> Result<(), ImportanceError> {
        for member in members.iter().filter(|member| !is_embedding(member.name)) {
            let expected = member.columns.saturating_mul(member.slices);
            if let Some(values) = self.of(member.name)
                && values.len() as u64 != expected
            {
                return Err(ImportanceError::Columns {
                    name: member.name.to_owned(),
                    expected,
                    got: values.len(),
                });
            }
        }
        Ok(())
    }

    /// The numbers for the row `row` of a matrix whose slices have `rows` rows of `columns` weights.
    #[must_use]
    pub fn row(&self, name: &str, row: usize, rows: usize, columns: usize) -> Option<&[f32]> {
        let first = (row / rows.max(1)).checked_mul(columns)?;
        let values = self.of(name)?;
        if is_embedding(name) && values.len() != columns {
            return None;
        }
        values.get(first..first.checked_add(columns)?)
    }

    /// Takes in what was summed up for a matrix: mean squares are `sums / count`, count by count. A count of zero is a
    /// slice that nothing was measured for, and then all its columns count the same.
    fn add(
        &mut self,
        name: &str,
        mut sums: Vec<f32>,
        counts: &[f32],
    ) -> Result<(), ImportanceError> {
        let columns = sums.len() / counts.len().max(1);
        for (slice, &count) in sums.chunks_mut(columns.max(1)).zip(counts) {
            for sum in slice {
                *sum = if count > 0.0 { *sum / count } else { 1.0 };
            }
        }
        let wrong = |value: &f32| !value.is_finite() || *value < 0.0;
        if let Some(column) = sums.iter().position(wrong) {
            return Err(ImportanceError::Value {
                name: name.to_owned(),
                column,
                value: sums[column],
            });
        }
        if self.entries.insert(name.to_owned(), sums).is_some() {
            return Err(ImportanceError::Sums {
                name: name.to_owned(),
                problem: "the matrix stands twice".to_owned(),
            });
        }
        Ok(())
    }
}

/// The matrix that all `choices` have, or none where they have none: rows are read once, and weighed once.
///
/// # Errors
///
/// When they differ.
pub fn shared<'a>(
    choices: impl IntoIterator<Item = &'a TypeChoice>,
) -> Result<Option<Arc<ImportanceMatrix>>, ImportanceError> {
    let mut matrices = choices.into_iter().map(|choice| &choice.importance);
    let first = matrices.next().cloned().flatten();
    if matrices.all(|other| *other == first) {
        Ok(first)
    } else {
        Err(ImportanceError::Several)
    }
}

fn is_embedding(name: &str) -> bool {
    matches!(name, "token_embd.weight" | "per_layer_token_embd.weight")
}
