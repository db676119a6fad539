//! From a checkpoint to the list of tensors that will be written. Everything is checked here, before the output exists.

use crate::architecture::{COMPUTED_SUFFIX, LayerRule, RowOrder, computed};
use crate::error::Error;
use crate::gguf::{TensorInfo, TensorType};
use crate::quantize::{Member, ModelShape, TensorRole, TypeChoice};
use crate::source::{Checkpoint, ModelConfig, SourceError, WeightEntry, Weights};

/// One tensor to write.
#[derive(Debug, Clone)]
pub struct PlannedTensor {
    /// Name in the checkpoint.
    pub source: String,
    /// Name in the GGUF.
    pub target: String,
    /// Rows; 1 for a vector.
    pub rows: usize,
    /// Weights per row.
    pub columns: usize,
    /// Stored as a vector: the GGUF shape has one dimension.
    pub vector: bool,
    /// What it is for.
    pub role: TensorRole,
    /// How the rows are ordered.
    pub order: RowOrder,
    /// What is added to every weight.
    pub offset: f32,
    /// How it is stored.
    pub kind: TensorType,
    /// Where it stands in the checkpoint.
    pub entry: WeightEntry,
}

impl PlannedTensor {
    /// Its line of the tensor directory.
    #[must_use]
    pub fn info(&self) -> TensorInfo {
        let mut shape = vec![self.columns as u64];
        if !self.vector {
            shape.push(self.rows as u64);
        }
        TensorInfo {
            name: self.target.clone(),
            shape,
            kind: self.kind,
        }
    }

    /// As the choice of types sees it.
    fn member(&self) -> Member<'_> {
        Member {
            name: &self.target,
            role: self.role,
            columns: self.columns as u64,
            slices: 1,
        }
    }

    /// Number of weights.
    #[must_use]
    pub fn weights(&self) -> u64 {
        self.rows as u64 * self.columns as u64
    }
}

/// All tensors of `checkpoint` under `types`, in the order of the file.
///
/// # Errors
///
/// When a tensor is missing, has another shape than the configuration gives it, or is unknown to the architecture,
/// when the tokenizer has more tokens than the embedding has rows, and when the types need an importance matrix that is
/// missing or another model's.
pub fn tensors(checkpoint: &Checkpoint, types: &TypeChoice) -> Result<Vec<PlannedTensor>, Error> {
    let config = &checkpoint.config;
    let tokens = checkpoint.tokenizer.tokens.len();
    if tokens > config.vocab {
        let vocab = config.vocab;
        return Err(SourceError::VocabularySize { tokens, vocab }.into());
    }
    let scaling = config.scaling.tensors().into_iter();
    let mut planned = config
        .architecture
        .tensors(config)
        .chain(scaling.map(|(name, _)| computed(name)))
        .map(|rule| plan(rule, config, &checkpoint.weights))
        .collect::<Result<Vec<_>, _>>()?;
    refuse_unexpected(&planned, config, &checkpoint.weights)?;
    let members: Vec<Member<'_>> = planned.iter().map(PlannedTensor::member).collect();
    let kinds = types.assign(&shape(config), &members)?;
    for (tensor, kind) in planned.iter_mut().zip(kinds) {
        tensor.kind = kind;
    }
    Ok(planned)
}

/// What the choice of types looks at.
fn shape(config: &ModelConfig) -> ModelShape<'static> {
    ModelShape {
        architecture: config.architecture.name,
        layers: config.layers,
        heads: config.heads,
        kv_heads: config.kv_heads,
        experts: 0,
    }
}

fn plan(
    line: LayerRule,
    config: &ModelConfig,
    weights: &Weights,
) -> Result<PlannedTensor, SourceError> {
    let name = line.source();
    let Some(entry) = weights.get(&name) else {
        return Err(SourceError::MissingTensor { name });
    };
    let expected = line.shape(config);
    if entry.shape != expected {
        return Err(SourceError::TensorShape {
            name,
            expected,
            got: entry.shape.clone(),
        });
    }
    let (rows, columns) = match expected[..] {
        [rows, columns] => (rows, columns),
        // The table has vectors and matrices only.
        _ => (1, expected.iter().product()),
    };
    let rule = line.rule;
    Ok(PlannedTensor {
        // Chosen when all are known.
        kind: TensorType::F32,
        target: line.target(),
        source: name,
        rows,
        columns,
        vector: expected.len() == 1,
        role: rule.role,
        order: rule.order,
        offset: rule.offset,
        entry: entry.clone(),
    })
}

/// A weight that is not written would change what the model computes, so it is an error. Allowed are buffers that are
/// computed anyway, and a copy of the embedding under the name of the tied output.
fn refuse_unexpected(
    planned: &[PlannedTensor],
    config: &ModelConfig,
    weights: &Weights,
) -> Result<(), SourceError> {
    let architecture = config.architecture;
    let known: std::collections::HashSet<&str> = planned
        .iter()
        .map(|tensor| tensor.source.as_str())
        .collect();
    for (name, entry) in weights.iter() {
        let copy_of_embedding = || {
            let embedding = weights.get(architecture.embedding.source);
            config.tied
                && name == architecture.output.source
                && embedding.is_some_and(|other| weights.bytes(other) == weights.bytes(entry))
        };
        if !known.contains(name) && !name.ends_with(COMPUTED_SUFFIX) && !copy_of_embedding() {
            return Err(SourceError::UnexpectedTensor {
                architecture: architecture.model_type,
                name: name.to_owned(),
            });
        }
    }
    Ok(())
}
