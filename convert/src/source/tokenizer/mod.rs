//! `tokenizer.json`: nothing that the rules of the GGUF file could not reproduce.
//!
//! The tokenizer of our own policies is held to one set of rules, below; any other is [`foreign`] and checked on a corpus.
//!
//! A GGUF names its rules (`tokenizer.ggml.model` "gpt2", `tokenizer.ggml.pre` "gpt-2") instead of holding them. They
//! stand for: no normalizer, GPT-2's splitting expression, bytes written as letters, merges by rank, ids from the
//! vocabulary, special tokens matched before everything else. Any other setting of `tokenizers` changes some text's
//! tokens, so each is refused by name.
//!
//! One difference cannot be seen from here: GPT-2's expression asks for Unicode letters and numbers, and llama.cpp and
//! `tokenizers` (Oniguruma) carry tables of different Unicode versions. On 20,000 random texts of all scripts one text
//! was split differently, behind a hieroglyph of Unicode 16; texts of older characters agree.

pub mod foreign;
mod raw;
mod rules;
mod vocabulary;

use std::path::Path;

use stride_firmware_config::frame::Marker;

use super::{ModelConfig, SourceError, TokenizerProblem};
use foreign::{Foreign, Settings};
use raw::{RawAdded, RawBpe, RawMerge, RawTokenizer};
use rules::{check_parts, check_settings};
use vocabulary::{check_alphabet, check_markers, check_merges, in_order};

/// Name in the checkpoint directory.
pub const FILE: &str = "tokenizer.json";
/// Bytes at most.
pub const MOST_BYTES: u64 = 64 << 20;

/// A vocabulary with its merges.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokenizer {
    /// Texts by id. In our own, bytes are written as [`byte_symbol`] writes them and the markers come first.
    pub tokens: Vec<String>,
    /// Pairs by rank.
    pub merges: Vec<(String, String)>,
    /// What else there is to say of one that was not made here.
    pub foreign: Option<Box<Foreign>>,
}

impl Tokenizer {
    /// Reads `bytes`, the content of `path` (which is only named in errors): one of our own where the markers come first, or
    /// where `policy` is set and there are none; else a foreign one with what `settings` says of it. The markers of a policy on
    /// a pretrained network stand behind that network's own tokens.
    ///
    /// # Errors
    ///
    /// When it is malformed or cannot be reproduced exactly; see [`TokenizerProblem`].
    pub fn read(
        path: &Path,
        bytes: &[u8],
        config: &ModelConfig,
        policy: bool,
        settings: impl FnOnce() -> Result<Settings, SourceError>,
    ) -> Result<Self, SourceError> {
        match first_marker(path, bytes)? {
            Some(0) => Self::parse(path, bytes),
            None if policy => Self::parse(path, bytes),
            _ => foreign::read(path, bytes, settings()?, config),
        }
    }

    /// Reads the tokenizer of a policy.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::read`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, SourceError> {
        let json = |source| SourceError::Json {
            path: path.to_owned(),
            source,
        };
        let raw: RawTokenizer = serde_json::from_slice(bytes).map_err(json)?;
        let refuse = |problem| SourceError::Tokenizer {
            path: path.to_owned(),
            problem,
        };
        check_parts(&raw).map_err(refuse)?;
        let bpe: RawBpe = serde_json::from_value(raw.model).map_err(json)?;
        build(bpe, &raw.added_tokens).map_err(refuse)
    }
}

/// The id of the first marker of the prompt layout, where it is a special token.
fn first_marker(path: &Path, bytes: &[u8]) -> Result<Option<u32>, SourceError> {
    #[derive(serde::Deserialize)]
    struct Added {
        #[serde(default)]
        added_tokens: Vec<RawAdded>,
    }
    let added: Added = serde_json::from_slice(bytes).map_err(|source| SourceError::Json {
        path: path.to_owned(),
        source,
    })?;
    let marker = Marker::Begin.token();
    let first = |token: &RawAdded| token.special && token.content == marker;
    Ok(added
        .added_tokens
        .iter()
        .find(|token| first(token))
        .map(|token| token.id))
}

/// The letter by which byte-level BPE writes a byte (GPT-2's `bytes_to_unicode`): printable Latin-1 stands for itself,
/// the other 68 bytes follow from U+0100 on.
#[must_use]
pub fn byte_symbol(byte: u8) -> char {
    let itself = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    if itself(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&other| !itself(other)).count() as u32;
    // At most 0x100 + 67, inside Latin Extended-A.
    char::from_u32(0x100 + before).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn build(bpe: RawBpe, added: &[RawAdded]) -> Result<Tokenizer, TokenizerProblem> {
    check_settings(&bpe)?;
    let merges = split_merges(bpe.merges)?;
    let mut vocab = bpe.vocab;
    for token in added {
        if vocab
            .insert(token.content.clone(), token.id)
            .is_some_and(|id| id != token.id)
        {
            return Err(TokenizerProblem::Token {
                token: token.content.clone(),
                problem: "has one id in the vocabulary and another among the added tokens",
            });
        }
    }
    check_markers(&vocab, added)?;
    check_merges(&vocab, &merges)?;
    let tokens = in_order(vocab)?;
    check_alphabet(&tokens)?;
    Ok(Tokenizer {
        tokens,
        merges,
        foreign: None,
    })
}

fn split_merges(raw: Vec<RawMerge>) -> Result<Vec<(String, String)>, TokenizerProblem> {
    let split = |(index, merge)| match merge {
        RawMerge::Pair(left, right) => Ok((left, right)),
        RawMerge::Text(text) => match text.split_once(' ') {
            Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
            None => Err(TokenizerProblem::Merge {
                index,
                left: text,
                right: String::new(),
                problem: "is not two tokens",
            }),
        },
    };
    raw.into_iter().enumerate().map(split).collect()
}
