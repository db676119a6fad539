//! Where weights come from: rows of `f32` out of a checkpoint or of a GGUF of any type, decoded when they are needed.

use std::collections::HashMap;
use std::ops::Range;

use rayon::prelude::*;
use stride_firmware_config::capacity;
use stride_firmware_config::frame::COMPLETED_CAPACITY;

use super::{ForwardError, Network};
use crate::architecture::RowOrder;
use crate::gguf::TensorType;
use crate::metadata::CAPACITY_PREFIX;
use crate::plan;
use crate::quantize::{self, Recipe, TypeChoice};
use crate::source::{Checkpoint, WeightEntry, WeightType, Weights};
use crate::stored::{StoredModel, StoredTensor};

/// How the tensors begin that scale rotary positions, frequency by frequency.
const ROPE_FACTORS: &str = "rope_";

/// The tensors of one side, by their names in a GGUF, in the row order of that side.
#[derive(Debug)]
pub struct Parameters<'a> {
    /// How errors call this side.
    pub side: String,
    /// What the weights make.
    pub network: Network,
    /// Issued subtasks that the policy reads by name.
    pub completed: usize,
    tensors: Vec<Stored<'a>>,
    index: HashMap<String, usize>,
}

/// One tensor.
#[derive(Debug)]
pub struct Stored<'a> {
    /// Name in a GGUF.
    pub name: String,
    /// Rows; 1 for a vector.
    pub rows: usize,
    /// Weights of a row.
    pub columns: usize,
    /// How it is stored.
    pub kind: StoredType,
    order: RowOrder,
    bytes: &'a [u8],
    memory: Memory<'a>,
}

/// How a tensor of either side is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// In a checkpoint.
    Checkpoint(WeightType),
    /// In a GGUF.
    Gguf(TensorType),
}

/// What to let go of when a tensor has been read.
#[derive(Debug)]
enum Memory<'a> {
    Checkpoint(&'a Weights, WeightEntry),
    Gguf(&'a StoredModel, &'a StoredTensor),
}

impl<'a> Parameters<'a> {
    /// Those of a checkpoint, in the order in which it keeps them.
    ///
    /// # Errors
    ///
    /// When the parts of the checkpoint contradict each other, or the network is not computed here.
    pub fn of_checkpoint(checkpoint: &'a Checkpoint) -> Result<Self, crate::Error> {
        // The types do not matter; the plan says which tensor is which.
        let planned = plan::tensors(checkpoint, &TypeChoice::from(Recipe::F32))?;
        let network = Network::of_config(&checkpoint.config)?;
        let tensors = planned.into_iter().map(|tensor| Stored {
            name: tensor.target,
            rows: tensor.rows,
            columns: tensor.columns,
            kind: StoredType::Checkpoint(tensor.entry.kind),
            order: tensor.order,
            bytes: checkpoint.weights.bytes(&tensor.entry),
            memory: Memory::Checkpoint(&checkpoint.weights, tensor.entry),
        });
        let tensors = tensors.collect();
        let stated = checkpoint
            .policy
            .as_ref()
            .and_then(|policy| policy.capacities.get(COMPLETED_CAPACITY));
        let completed = stated.map(|&number| number.into());
        Ok(Self::new(
            "the checkpoint".into(),
            network,
            completed,
            tensors,
        ))
    }

    /// Those of a GGUF, which may be several files.
    ///
    /// # Errors
    ///
    /// When the network is not computed here, or its hyperparameters do not hold together.
    pub fn of_gguf(side: String, model: &'a StoredModel) -> Result<Self, ForwardError> {
        let network = Network::of_metadata(&model.metadata)?;
        let factors = |tensor: &&StoredTensor| tensor.info.name.starts_with(ROPE_FACTORS);
        if let Some(tensor) = model.tensors.iter().find(factors) {
            return Err(ForwardError::Setting {
                key: tensor.info.name.clone(),
                problem: "scales positions".into(),
            });
        }
        let tensors = model.tensors.iter().map(|tensor| {
            let (rows, columns) = tensor.rows_columns;
            Stored {
                name: tensor.info.name.clone(),
                rows,
                columns,
                kind: StoredType::Gguf(tensor.info.kind),
                order: RowOrder::Kept,
                bytes: model.stored(tensor, &(0..rows)),
                memory: Memory::Gguf(model, tensor),
            }
        });
        let completed = model
            .metadata
            .unsigned(&format!("{CAPACITY_PREFIX}{COMPLETED_CAPACITY}"));
        Ok(Self::new(side, network, completed, tensors.collect()))
    }

    fn new(
        side: String,
        network: Network,
        completed: Option<u64>,
        tensors: Vec<Stored<'a>>,
    ) -> Self {
        let index = tensors
            .iter()
            .enumerate()
            .map(|(at, tensor)| (tensor.name.clone(), at))
            .collect();
        Self {
            side,
            network,
            // A policy of a build that remembers more reads all that this one has.
            completed: completed
                .and_then(|number| usize::try_from(number).ok())
                .map_or(capacity::COMPLETED, |number| {
                    number.min(capacity::COMPLETED)
                }),
            tensors,
            index,
        }
    }

    /// All tensors, in the order of the file.
    #[must_use]
    pub fn tensors(&self) -> &[Stored<'a>] {
        &self.tensors
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Stored<'a>> {
        self.index.get(name).map(|&at| &self.tensors[at])
    }

    /// The tensor called `name`, which has `rows` rows of `columns` weights.
    ///
    /// # Errors
    ///
    /// When it is absent or of another shape.
    pub fn expect(
        &self,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> Result<&Stored<'a>, ForwardError> {
        let tensor = self.get(name).ok_or_else(|| ForwardError::MissingTensor {
            side: self.side.clone(),
            name: name.to_owned(),
        })?;
        if (tensor.rows, tensor.columns) != (rows, columns) {
            return Err(ForwardError::Shape {
                side: self.side.clone(),
                name: name.to_owned(),
                rows: tensor.rows,
                columns: tensor.columns,
                expected: format!("{rows} rows of {columns}"),
            });
        }
        Ok(tensor)
    }

    /// The embedding: as many rows as there are tokens.
    ///
    /// # Errors
    ///
    /// When it is absent or too narrow.
    pub fn embedding(&self) -> Result<&Stored<'a>, ForwardError> {
        let rows = self.get("token_embd.weight").map_or(0, |found| found.rows);
        self.expect("token_embd.weight", rows, self.network.hidden)
    }

    /// The matrix that makes the logits: the output, or the embedding where there is none.
    ///
    /// # Errors
    ///
    /// When it does not fit the embedding.
    pub fn logits(&self) -> Result<&Stored<'a>, ForwardError> {
        let embedding = self.embedding()?;
        match self.get("output.weight") {
            None => Ok(embedding),
            Some(_) => self.expect("output.weight", embedding.rows, self.network.hidden),
        }
    }

    /// The whole vector called `name`.
    ///
    /// # Errors
    ///
    /// When it is absent, of another length, or unreadable.
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f32>, ForwardError> {
        let mut row = Vec::with_capacity(len);
        self.row(self.expect(name, 1, len)?, 0, &mut row)?;
        Ok(row)
    }

    /// [`Self::vector`] where there is one.
    ///
    /// # Errors
    ///
    /// When it is of another length, or unreadable.
    pub fn optional_vector(
        &self,
        name: &str,
        len: usize,
    ) -> Result<Option<Vec<f32>>, ForwardError> {
        match self.get(name) {
            None => Ok(None),
            Some(_) => self.vector(name, len).map(Some),
        }
    }

    /// Some rows of a tensor, one after the other, decoded in parallel.
    ///
    /// # Errors
    ///
    /// When the type is unreadable.
    pub fn rows(&self, tensor: &Stored<'_>, rows: Range<usize>) -> Result<Vec<f32>, ForwardError> {
        let mut weights = vec![0.0; rows.len() * tensor.columns];
        weights
            .par_chunks_exact_mut(tensor.columns)
            .zip(rows)
            .try_for_each_init(Vec::new, |row, (out, at)| {
                row.clear();
                self.row(tensor, at, row)?;
                out.copy_from_slice(row);
                Ok(())
            })?;
        Ok(weights)
    }

    /// Appends row `row` of a tensor, counted as this side keeps it.
    ///
    /// # Errors
    ///
    /// When the type is unreadable.
    pub fn row(
        &self,
        tensor: &Stored<'_>,
        row: usize,
        out: &mut Vec<f32>,
    ) -> Result<(), ForwardError> {
        let stride = tensor.bytes.len() / tensor.rows;
        let bytes = &tensor.bytes[row * stride..(row + 1) * stride];
        match tensor.kind {
            StoredType::Checkpoint(kind) => kind.decode(bytes, out),
            StoredType::Gguf(kind) => quantize::decode_row(kind, bytes, out).map_err(|_| {
                let (side, name) = (self.side.clone(), tensor.name.clone());
                ForwardError::Unreadable { side, name, kind }
            })?,
        }
        Ok(())
    }

    /// Appends the row that stands at `row` in a GGUF.
    ///
    /// # Errors
    ///
    /// When the type is unreadable.
    pub fn row_of_gguf(
        &self,
        tensor: &Stored<'_>,
        row: usize,
        out: &mut Vec<f32>,
    ) -> Result<(), ForwardError> {
        let row = tensor.order.source_row(row, self.network.head_dim);
        self.row(tensor, row, out)
    }

    /// Lets go of the memory that reading a tensor took.
    pub fn release(&self, tensor: &Stored<'_>) {
        match &tensor.memory {
            Memory::Checkpoint(weights, entry) => weights.release(entry, &(0..tensor.bytes.len())),
            Memory::Gguf(model, stored) => model.release(stored, &(0..tensor.rows)),
        }
    }
}
