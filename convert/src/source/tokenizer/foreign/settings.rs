//! `tokenizer_config.json` and `chat_template.jinja`, where they stand beside the tokenizer.

use std::path::Path;

use serde::Deserialize;

use crate::source::{Provenance, SourceError, file};

/// Name of the settings in the checkpoint directory.
pub const FILE: &str = "tokenizer_config.json";
/// Name of the template, where it is a file of its own.
pub const TEMPLATE_FILE: &str = "chat_template.jinja";
/// Bytes of each at most.
const MOST_BYTES: u64 = 16 << 20;

/// How a conversation becomes a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTemplate {
    /// `None` for the usual one.
    pub name: Option<String>,
    /// Jinja.
    pub text: String,
}

/// What is taken from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Begins a text.
    pub bos: Option<String>,
    /// Ends a text.
    pub eos: Option<String>,
    /// Stands for what has no token.
    pub unknown: Option<String>,
    /// Fills up.
    pub padding: Option<String>,
    /// The usual template first.
    pub templates: Vec<ChatTemplate>,
}

#[derive(Deserialize)]
struct RawSettings {
    bos_token: Option<RawToken>,
    eos_token: Option<RawToken>,
    unk_token: Option<RawToken>,
    pad_token: Option<RawToken>,
    chat_template: Option<RawTemplates>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawToken {
    Text(String),
    Object { content: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawTemplates {
    One(String),
    Many(Vec<RawTemplate>),
}

#[derive(Deserialize)]
struct RawTemplate {
    name: String,
    template: String,
}

impl Settings {
    /// Reads what stands in `directory`; nothing has to.
    ///
    /// # Errors
    ///
    /// When a file is there and cannot be read.
    pub fn open(directory: &Path, provenance: &mut Vec<Provenance>) -> Result<Self, SourceError> {
        let mut settings = Self::default();
        if let Some(bytes) = optional(directory, FILE, provenance)? {
            settings = Self::parse(&directory.join(FILE), &bytes)?;
        }
        if let Some(bytes) = optional(directory, TEMPLATE_FILE, provenance)? {
            settings
                .templates
                .retain(|template| template.name.is_some());
            let text = String::from_utf8_lossy(&bytes).into_owned();
            settings
                .templates
                .insert(0, ChatTemplate { name: None, text });
        }
        Ok(settings)
    }

    /// Reads `bytes`, the content of the settings at `path` (which is only named in errors).
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SourceError> {
        let raw = serde_json::from_slice(bytes).map_err(|source| SourceError::Json {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::from_raw(raw))
    }

    fn from_raw(raw: RawSettings) -> Self {
        let text = |token: Option<RawToken>| {
            token.map(|token| match token {
                RawToken::Text(text) | RawToken::Object { content: text } => text,
            })
        };
        let named = |one: RawTemplate| ChatTemplate {
            name: (one.name != "default").then_some(one.name),
            text: one.template,
        };
        let mut templates = match raw.chat_template {
            None => Vec::new(),
            Some(RawTemplates::One(text)) => vec![ChatTemplate { name: None, text }],
            Some(RawTemplates::Many(many)) => many.into_iter().map(named).collect(),
        };
        templates.sort_by_key(|template| template.name.is_some());
        Self {
            bos: text(raw.bos_token),
            eos: text(raw.eos_token),
            unknown: text(raw.unk_token),
            padding: text(raw.pad_token),
            templates,
        }
    }
}

fn optional(
    directory: &Path,
    name: &str,
    provenance: &mut Vec<Provenance>,
) -> Result<Option<Vec<u8>>, SourceError> {
    let path = directory.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = file::read(&path, MOST_BYTES)?;
    provenance.push(Provenance {
        file: name.to_owned(),
        sha256: file::sha256(&bytes),
    });
    Ok(Some(bytes))
}
