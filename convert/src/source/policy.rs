//! `stride.json`: what the trainer says about a policy.
//!
//! ```json
//! { "layout_version": 1, "name": "household-2m", "author": "...", "license": "Apache-2.0", "description": "...",
//!   "capacities": { "progress": 512, "observation": 1024 },
//!   "utterance_tokens": { "high": 24, "low": 16, "progress": 96 },
//!   "card": "# Markdown, or any JSON" }
//! ```
//!
//! Only `layout_version` is required. Further fields are kept in the card.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use stride_firmware_config::capacity;
use stride_firmware_config::frame::{COMPLETED_CAPACITY, LAYOUT_VERSION};

use super::SourceError;

/// Name in the checkpoint directory.
pub const FILE: &str = "stride.json";
/// Bytes at most.
pub const MOST_BYTES: u64 = 4 << 20;
/// Bytes of a name under `capacities` and `utterance_tokens` at most.
const MOST_NAME: usize = 32;

/// What stands in `stride.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCard {
    /// Version of the prompt layout the policy was trained on.
    pub layout_version: u32,
    /// `general.name`.
    pub name: Option<String>,
    /// `general.author`.
    pub author: Option<String>,
    /// `general.license`.
    pub license: Option<String>,
    /// `general.description`.
    pub description: Option<String>,
    /// Bytes of each text of a frame, by name; as `completed`, the issued subtasks that the policy reads.
    pub capacities: BTreeMap<String, u32>,
    /// Tokens of an utterance at most, by level.
    pub utterance_tokens: BTreeMap<String, u32>,
    /// The model card: Markdown, or JSON as text.
    pub card: Option<String>,
}

#[derive(Deserialize)]
struct RawPolicy {
    layout_version: u32,
    name: Option<String>,
    author: Option<String>,
    license: Option<String>,
    description: Option<String>,
    #[serde(default)]
    capacities: BTreeMap<String, u32>,
    #[serde(default)]
    utterance_tokens: BTreeMap<String, u32>,
    card: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl PolicyCard {
    /// Reads `bytes`, the content of `path` (which is only named in errors).
    ///
    /// # Errors
    ///
    /// When it is malformed, or the layout is not the one this program was built with.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SourceError> {
        let raw: RawPolicy = serde_json::from_slice(bytes).map_err(|source| SourceError::Json {
            path: path.to_owned(),
            source,
        })?;
        let refuse = |field: &str, problem: String| SourceError::Field {
            path: path.to_owned(),
            field: field.to_owned(),
            problem,
        };
        if raw.layout_version != LAYOUT_VERSION {
            let problem = format!(
                "is {}, but this program knows layout {LAYOUT_VERSION}; use the converter of the trainer's version",
                raw.layout_version
            );
            return Err(refuse("layout_version", problem));
        }
        for name in raw.capacities.keys().chain(raw.utterance_tokens.keys()) {
            let plain = name
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if name.is_empty() || name.len() > MOST_NAME || !plain {
                let problem = format!(
                    "must be 1 to {MOST_NAME} of a-z and _ to become part of a metadata key"
                );
                return Err(refuse(&format!("{name:?}"), problem));
            }
        }
        if let Some(&number) = raw.capacities.get(COMPLETED_CAPACITY)
            && !(1..=capacity::COMPLETED as u64).contains(&number.into())
        {
            let problem = format!(
                "is {number}; an agent remembers 1 to {}",
                capacity::COMPLETED
            );
            return Err(refuse("capacities.completed", problem));
        }
        Ok(Self {
            layout_version: raw.layout_version,
            name: raw.name,
            author: raw.author,
            license: raw.license,
            description: raw.description,
            capacities: raw.capacities,
            utterance_tokens: raw.utterance_tokens,
            card: card(raw.card, raw.rest),
        })
    }
}

/// Markdown stays as it is; anything else, and fields nobody asked for, become one JSON text.
fn card(card: Option<Value>, mut rest: Map<String, Value>) -> Option<String> {
    match card {
        Some(Value::String(markdown)) if rest.is_empty() => return Some(markdown),
        Some(value) if rest.is_empty() => return Some(sorted(value)),
        Some(value) => {
            rest.insert("card".into(), value);
        }
        None => {}
    }
    (!rest.is_empty()).then(|| sorted(Value::Object(rest)))
}

/// Keys in alphabetic order: the order in which a trainer writes them makes no other file.
fn sorted(mut value: Value) -> String {
    value.sort_all_objects();
    format!("{value:#}")
}
