//! A checkpoint directory: what is read, and what is refused before anything is written.
//!
//! | file | holds | module |
//! |---|---|---|
//! | `config.json` | Hugging Face configuration of an [architecture](crate::architecture) | [`config`] |
//! | `tokenizer.json`, with `tokenizer_config.json` where it is not a policy's | Hugging Face `tokenizers` | [`tokenizer`] |
//! | `model.safetensors` | weights in F32, F16 or BF16 | [`weights`] |
//! | `model.safetensors.index.json` | where that is absent: the files that the weights are spread over | [`shards`] |
//! | `stride.json` (optional) | prompt layout, capacities, model card | [`policy`] |

pub mod config;
mod error;
pub(crate) mod file;
pub mod policy;
pub mod rope;
pub mod shards;
pub mod tokenizer;
pub mod weights;

pub use config::ModelConfig;
pub use error::{SourceError, TokenizerProblem};
pub use policy::PolicyCard;
pub use shards::ShardIndex;
pub use tokenizer::Tokenizer;
pub use weights::{WeightEntry, WeightType, Weights};

use std::path::Path;

use stride_firmware_config::frame::Marker;

/// A file a GGUF was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Name inside the checkpoint directory.
    pub file: String,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// A checkpoint whose parts have been read and checked, each by itself.
#[derive(Debug)]
pub struct Checkpoint {
    /// Hyperparameters.
    pub config: ModelConfig,
    /// Vocabulary and merges.
    pub tokenizer: Tokenizer,
    /// Memory-mapped weights.
    pub weights: Weights,
    /// What the trainer says about the policy.
    pub policy: Option<PolicyCard>,
    /// What was read.
    pub provenance: Vec<Provenance>,
}

impl Checkpoint {
    /// Reads the checkpoint in `directory`.
    ///
    /// # Errors
    ///
    /// When a file is missing, malformed or of a kind that GGUF and llama.cpp could not reproduce exactly.
    pub fn open(directory: &Path) -> Result<Self, SourceError> {
        let mut provenance = Vec::new();
        let mut text = |name, most| -> Result<_, SourceError> {
            let path = directory.join(name);
            let bytes = file::read(&path, most)?;
            let sha256 = file::sha256(&bytes);
            provenance.push(Provenance {
                file: String::from(name),
                sha256,
            });
            Ok((path, bytes))
        };
        let (path, bytes) = text(config::FILE, config::MOST_BYTES)?;
        let config = ModelConfig::parse(&path, &bytes)?;
        let (path, bytes) = text(tokenizer::FILE, tokenizer::MOST_BYTES)?;
        let policy_path = directory.join(policy::FILE);
        let mut settings_files = Vec::new();
        let tokenizer = Tokenizer::read(&path, &bytes, &config, policy_path.exists(), || {
            tokenizer::foreign::Settings::open(directory, &mut settings_files)
        })?;
        let policy = if policy_path.exists() {
            let (path, bytes) = text(policy::FILE, policy::MOST_BYTES)?;
            Some(PolicyCard::parse(&path, &bytes)?)
        } else {
            None
        };
        provenance.append(&mut settings_files);
        if tokenizer.foreign.is_none() {
            check_ends(directory, &config)?;
        }
        let mut weights = open_weights(directory, &mut provenance)?;
        for (name, numbers) in config.scaling.tensors() {
            weights.add_computed(name, numbers);
        }
        Ok(Self {
            config,
            tokenizer,
            weights,
            policy,
            provenance,
        })
    }
}

/// One file where there is one, as transformers prefers it; else the files of the index.
fn open_weights(
    directory: &Path,
    provenance: &mut Vec<Provenance>,
) -> Result<Weights, SourceError> {
    let whole = directory.join(weights::FILE);
    let path = directory.join(shards::FILE);
    if whole.exists() || !path.exists() {
        let weights = Weights::open(&whole)?;
        provenance.push(Provenance {
            file: weights::FILE.to_owned(),
            sha256: file::sha256_of(&whole)?,
        });
        return Ok(weights);
    }
    let bytes = file::read(&path, shards::MOST_BYTES)?;
    let index = ShardIndex::parse(&path, &bytes)?;
    let weights = Weights::open_shards(directory, &index)?;
    provenance.push(Provenance {
        file: shards::FILE.to_owned(),
        sha256: file::sha256(&bytes),
    });
    for file in index.files() {
        provenance.push(Provenance {
            file: file.to_owned(),
            sha256: file::sha256_of(&directory.join(file))?,
        });
    }
    Ok(weights)
}

/// The ids that begin and end a text are those of the markers, where `config.json` names them.
fn check_ends(directory: &Path, config: &ModelConfig) -> Result<(), SourceError> {
    if !config.other_eos.is_empty() {
        let ids = config.other_eos.len() + 1;
        return Err(SourceError::Field {
            path: directory.join(config::FILE),
            field: "eos_token_id".to_owned(),
            problem: format!("lists {ids} ids; one is supported"),
        });
    }
    let ends = [
        ("bos_token_id", config.bos, Marker::Begin),
        ("eos_token_id", config.eos, Marker::End),
    ];
    for (field, id, marker) in ends {
        if let Some(id) = id.filter(|&id| id != marker as u32) {
            let token = marker.token();
            return Err(SourceError::Field {
                path: directory.join(config::FILE),
                field: field.to_owned(),
                problem: format!(
                    "is {id}, but {token} has id {}; set it to that",
                    marker as u32
                ),
            });
        }
    }
    Ok(())
}
