//! An adapter in PEFT's form, matched with the tensors of its base.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::config::{self, LoraConfig};
use crate::plan::PlannedTensor;
use crate::source::{Provenance, SourceError, WeightEntry, Weights, file};

/// The weights in the adapter's folder.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// What PEFT calls the rows of tokens that it trains. They are the rows themselves, not what is added to the base's.
const TOKEN_ROWS: &str = "token_adapter.trainable_tokens_delta";
/// What PEFT puts before the name of a module.
const PREFIX: &str = "base_model.model.";

/// What an adapter adds to one matrix: `scale * up * down`.
#[derive(Debug, Clone)]
pub struct Pair {
    /// PEFT's A: the rank's rows, as many columns as the matrix has.
    pub down: WeightEntry,
    /// PEFT's B: as many rows as the matrix has, the rank's columns.
    pub up: WeightEntry,
}

/// Rows that an adapter brings along for some tokens, instead of those of the embedding or the output matrix.
#[derive(Debug, Clone)]
struct TokenRows {
    /// Row of the entry, by row of the matrix.
    places: HashMap<usize, usize>,
    entry: WeightEntry,
}

/// An adapter whose every tensor has its place in the base.
#[derive(Debug)]
pub struct Adapter {
    /// Rank and scale.
    pub config: LoraConfig,
    /// The pairs, by the name of the matrix in the base.
    pairs: HashMap<String, Pair>,
    /// Rows, by the name of the matrix in the base.
    rows: HashMap<String, TokenRows>,
    weights: Weights,
    /// What was read.
    pub provenance: Vec<Provenance>,
}

impl Adapter {
    /// Reads the adapter in `folder` and matches it with the tensors of a base.
    ///
    /// # Errors
    ///
    /// When a file is missing or malformed, asks for something else than a plain LoRA, or holds a tensor that has no
    /// place in this base.
    pub fn open(folder: &Path, base: &[PlannedTensor]) -> Result<Self, SourceError> {
        let path = folder.join(config::FILE);
        let bytes = file::read(&path, config::MOST_BYTES)?;
        let parsed = LoraConfig::parse(&path, &bytes)?;
        let weights_path = folder.join(WEIGHTS_FILE);
        let weights = Weights::open(&weights_path)?;
        let provenance = |file: &str, sha256| Provenance {
            file: file.to_owned(),
            sha256,
        };
        let mut adapter = Self::of(parsed, &weights_path, weights, base)?;
        adapter.provenance = vec![
            provenance(config::FILE, file::sha256(&bytes)),
            provenance(WEIGHTS_FILE, file::sha256_of(&weights_path)?),
        ];
        Ok(adapter)
    }

    /// Matches `weights`, the content of `weights_path` (which is only named in errors), with the tensors of a base.
    ///
    /// # Errors
    ///
    /// When a tensor is missing, has another shape than the base and the rank make it, or has no place in this base.
    pub fn of(
        parsed: LoraConfig,
        weights_path: &Path,
        weights: Weights,
        base: &[PlannedTensor],
    ) -> Result<Self, SourceError> {
        let refuse = |name: &str, problem: String| SourceError::Field {
            path: weights_path.to_owned(),
            field: format!("tensor {name:?}"),
            problem,
        };
        let mut pairs = HashMap::new();
        let mut known = HashSet::new();
        for tensor in base.iter().filter(|tensor| !tensor.vector) {
            let Some(module) = tensor.source.strip_suffix(".weight") else {
                continue;
            };
            let name = |side: &str| format!("{PREFIX}{module}.lora_{side}.weight");
            let (down, up) = (name("A"), name("B"));
            let pair = match (weights.get(&down), weights.get(&up)) {
                (Some(down), Some(up)) => Pair {
                    down: down.clone(),
                    up: up.clone(),
                },
                (None, None) => continue,
                (Some(_), None) => return Err(refuse(&down, format!("has no {up:?} beside it"))),
                (None, Some(_)) => return Err(refuse(&up, format!("has no {down:?} beside it"))),
            };
            for (name, entry, expected) in [
                (&down, &pair.down, [parsed.rank, tensor.columns]),
                (&up, &pair.up, [tensor.rows, parsed.rank]),
            ] {
                if entry.shape != expected {
                    let problem = format!(
                        "has the shape {:?}, but rank {} and the base make it {expected:?}",
                        entry.shape, parsed.rank
                    );
                    return Err(refuse(name, problem));
                }
            }
            known.extend([down, up]);
            pairs.insert(tensor.source.clone(), pair);
        }
        let mut rows = HashMap::new();
        for (module, tokens) in &parsed.tokens {
            let name = |module: &str| format!("{PREFIX}{module}.{TOKEN_ROWS}");
            let of_module = |tensor: &&PlannedTensor| {
                let source = tensor.source.strip_suffix(".weight");
                source.is_some_and(|source| source.rsplit('.').next() == Some(module))
            };
            let Some(tensor) = base.iter().find(of_module) else {
                return Err(refuse(&name(module), "has no matrix in this base".into()));
            };
            let name = name(tensor.source.trim_end_matches(".weight"));
            let Some(entry) = weights.get(&name) else {
                return Err(refuse(&name, "is absent".into()));
            };
            let expected = [tokens.len(), tensor.columns];
            if entry.shape != expected {
                let problem = format!(
                    "has the shape {:?}, but its tokens and the base make it {expected:?}",
                    entry.shape
                );
                return Err(refuse(&name, problem));
            }
            if let Some(token) = tokens.iter().find(|&&token| token as usize >= tensor.rows) {
                let problem = format!("holds token {token}, but the base has {}", tensor.rows);
                return Err(refuse(&name, problem));
            }
            let places = tokens.iter().enumerate();
            let places = places.map(|(place, &token)| (token as usize, place));
            let entry = entry.clone();
            known.insert(name);
            let places = places.collect();
            rows.insert(tensor.source.clone(), TokenRows { places, entry });
        }
        if let Some((stray, _)) = weights.iter().find(|(name, _)| !known.contains(*name)) {
            let problem = "has no place in this base, or is of a kind that is not merged here (only lora_A and lora_B \
                           of its matrices are, not those of the embedding)";
            return Err(refuse(stray, problem.into()));
        }
        if pairs.is_empty() {
            return Err(refuse(
                "*.lora_A.weight",
                "is absent: the adapter is empty".into(),
            ));
        }
        Ok(Self {
            config: parsed,
            pairs,
            rows,
            provenance: Vec::new(),
            weights,
        })
    }

    /// What is added to the matrix that the base calls `name`.
    #[must_use]
    pub fn pair(&self, name: &str) -> Option<&Pair> {
        self.pairs.get(name)
    }

    /// Puts in the place of row `row` of the matrix that the base calls `name`, which `weights` holds from `start` on, what the
    /// adapter has instead, if anything.
    pub fn replace(&self, name: &str, row: usize, weights: &mut Vec<f32>, start: usize) {
        if let Some(rows) = self.rows.get(name)
            && let Some(&place) = rows.places.get(&row)
        {
            weights.truncate(start);
            self.row(&rows.entry, place, weights);
        }
    }

    /// Rows that stand in the place of the base's.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.values().map(|rows| rows.places.len()).sum()
    }

    /// Matrices that something is added to.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Never: an empty adapter is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Appends a row of one of the adapter's matrices.
    pub fn row(&self, entry: &WeightEntry, row: usize, out: &mut Vec<f32>) {
        let stride = entry.shape.last().copied().unwrap_or(1) * entry.kind.bytes();
        let bytes = self.weights.bytes(entry);
        entry
            .kind
            .decode(&bytes[row * stride..(row + 1) * stride], out);
    }

    /// Adds to `weights`, row `row` of the matrix, what `pair` adds to it.
    pub fn add(&self, pair: &Pair, row: usize, weights: &mut [f32]) {
        let (mut up, mut down) = (Vec::new(), Vec::with_capacity(weights.len()));
        self.row(&pair.up, row, &mut up);
        let mut sum = vec![0.0; weights.len()];
        for (rank, factor) in up.iter().enumerate() {
            down.clear();
            self.row(&pair.down, rank, &mut down);
            for (sum, down) in sum.iter_mut().zip(&down) {
                *sum += factor * down;
            }
        }
        for (weight, sum) in weights.iter_mut().zip(&sum) {
            *weight += self.config.scale * sum;
        }
    }
}
