//! `tokenizer.json`: byte-level BPE, and nothing that the rules of the GGUF file could not reproduce.
//!
//! A GGUF names its rules (`tokenizer.ggml.model` "gpt2", `tokenizer.ggml.pre` "gpt-2") instead of holding them. They
//! stand for: no normalizer, GPT-2's splitting expression, bytes written as letters, merges by rank, ids from the
//! vocabulary, special tokens matched before everything else. Any other setting of `tokenizers` changes some text's
//! tokens, so each is refused by name.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use stride_firmware_config::frame::Marker;

use super::{SourceError, TokenizerProblem};

/// Name in the checkpoint directory.
pub const FILE: &str = "tokenizer.json";
/// Bytes at most.
pub const MOST_BYTES: u64 = 64 << 20;

/// A vocabulary with its merges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenizer {
    /// Texts by id, bytes written as [`byte_symbol`] writes them. The markers come first.
    pub tokens: Vec<String>,
    /// Pairs by rank.
    pub merges: Vec<(String, String)>,
}

#[derive(Deserialize)]
struct RawTokenizer {
    #[serde(default)]
    truncation: Value,
    #[serde(default)]
    padding: Value,
    #[serde(default)]
    added_tokens: Vec<RawAdded>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: Value,
}

#[derive(Deserialize)]
struct RawAdded {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct RawBpe {
    #[serde(default)]
    dropout: Option<f64>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    vocab: HashMap<String, u32>,
    merges: Vec<RawMerge>,
}

/// `["a", "b"]` since `tokenizers` 0.20, `"a b"` before.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawMerge {
    Pair(String, String),
    Text(String),
}

impl Tokenizer {
    /// Reads `bytes`, the content of `path` (which is only named in errors).
    ///
    /// # Errors
    ///
    /// When it is malformed or cannot be reproduced exactly; see [`TokenizerProblem`].
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

fn check_parts(raw: &RawTokenizer) -> Result<(), TokenizerProblem> {
    let part = |part, value: &Value, needed, good: bool| {
        let found = describe(value);
        if good {
            Ok(())
        } else {
            Err(TokenizerProblem::Part {
                part,
                found,
                needed,
            })
        }
    };
    let is = |value: &Value, kind: &str| value.get("type").and_then(Value::as_str) == Some(kind);
    let flag = |value: &Value, name: &str| value.get(name).and_then(Value::as_bool);
    part("model", &raw.model, "BPE", is(&raw.model, "BPE"))?;
    part(
        "normalizer",
        &raw.normalizer,
        "none",
        raw.normalizer.is_null(),
    )?;
    part(
        "pre-tokenizer",
        &raw.pre_tokenizer,
        "ByteLevel with add_prefix_space false and use_regex true",
        is(&raw.pre_tokenizer, "ByteLevel")
            && flag(&raw.pre_tokenizer, "add_prefix_space") == Some(false)
            && flag(&raw.pre_tokenizer, "use_regex") != Some(false),
    )?;
    let post = &raw.post_processor;
    part(
        "post-processor",
        post,
        "none, or ByteLevel (the prompt layout places the markers itself)",
        post.is_null() || is(post, "ByteLevel"),
    )?;
    part(
        "decoder",
        &raw.decoder,
        "ByteLevel",
        is(&raw.decoder, "ByteLevel"),
    )?;
    part(
        "truncation",
        &raw.truncation,
        "none",
        raw.truncation.is_null(),
    )?;
    part("padding", &raw.padding, "none", raw.padding.is_null())
}

/// A component in a few words for an error.
fn describe(value: &Value) -> String {
    const MOST_CHARACTERS: usize = 120;
    let Some(object) = value.as_object() else {
        return if value.is_null() {
            "none".into()
        } else {
            "not an object".into()
        };
    };
    let settings = object
        .iter()
        .filter(|(name, setting)| {
            *name != "type" && (setting.is_boolean() || setting.is_number() || setting.is_string())
        })
        .map(|(name, setting)| format!(", {name} {setting}"));
    let kind = object
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("untyped");
    let text: String = std::iter::once(kind.to_owned()).chain(settings).collect();
    text.chars().take(MOST_CHARACTERS).collect()
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
    Ok(Tokenizer { tokens, merges })
}

fn check_settings(bpe: &RawBpe) -> Result<(), TokenizerProblem> {
    let text = |value: &Option<String>| value.as_deref().is_none_or(str::is_empty);
    let settings = [
        (
            "dropout",
            bpe.dropout.is_none_or(|rate| rate == 0.0),
            "no dropout",
        ),
        (
            "continuing_subword_prefix",
            text(&bpe.continuing_subword_prefix),
            "none",
        ),
        ("end_of_word_suffix", text(&bpe.end_of_word_suffix), "none"),
        ("byte_fallback", !bpe.byte_fallback, "false"),
        ("ignore_merges", !bpe.ignore_merges, "false"),
    ];
    match settings.into_iter().find(|(_, good, _)| !good) {
        None => Ok(()),
        Some((part, _, needed)) => Err(TokenizerProblem::Part {
            part,
            found: "set".into(),
            needed,
        }),
    }
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

/// The added tokens are the markers, all of them, with their ids, matched wherever they stand.
fn check_markers(vocab: &HashMap<String, u32>, added: &[RawAdded]) -> Result<(), TokenizerProblem> {
    for (expected, marker) in Marker::ALL.into_iter().enumerate() {
        let token = marker.token();
        let found = match vocab.get(token) {
            None => "it is absent".to_owned(),
            Some(&id) if id as usize != expected => format!("its id is {id}"),
            Some(_)
                if !added
                    .iter()
                    .any(|other| other.content == token && other.special) =>
            {
                "it is an ordinary token".to_owned()
            }
            Some(_) => continue,
        };
        return Err(TokenizerProblem::Marker {
            token,
            expected,
            found,
        });
    }
    for other in added {
        let problem = if other.lstrip || other.rstrip || other.single_word {
            "has lstrip, rstrip or single_word set, which GGUF cannot express; clear them"
        } else if !Marker::ALL
            .iter()
            .any(|marker| marker.token() == other.content)
        {
            "is no marker of the prompt layout; only those are supported as added tokens"
        } else {
            continue;
        };
        return Err(TokenizerProblem::Token {
            token: other.content.clone(),
            problem,
        });
    }
    Ok(())
}

fn check_merges(
    vocab: &HashMap<String, u32>,
    merges: &[(String, String)],
) -> Result<(), TokenizerProblem> {
    let mut seen = HashSet::new();
    for (index, (left, right)) in merges.iter().enumerate() {
        let merged = vocab.get(&format!("{left}{right}"));
        let problem = if !vocab.contains_key(left) || !vocab.contains_key(right) {
            "joins a token that is not in the vocabulary"
        } else if merged.is_none() {
            "makes a token that is not in the vocabulary"
        } else if merged.is_some_and(|&id| (id as usize) < Marker::ALL.len()) {
            "makes a marker out of plain text"
        } else if left.contains(' ') || right.contains(' ') {
            "holds a space, which separates the halves in GGUF"
        } else if !seen.insert((left, right)) {
            "stands twice"
        } else {
            continue;
        };
        return Err(TokenizerProblem::Merge {
            index,
            left: left.clone(),
            right: right.clone(),
            problem,
        });
    }
    Ok(())
}

/// Texts by id; the ids must be 0, 1, 2, ... without gaps.
fn in_order(vocab: HashMap<String, u32>) -> Result<Vec<String>, TokenizerProblem> {
    let last = vocab.len().saturating_sub(1);
    let mut tokens: Vec<Option<String>> = vec![None; vocab.len()];
    for (text, id) in vocab {
        let problem = match tokens.get_mut(id as usize) {
            None => format!("{text:?} has id {id}"),
            Some(Some(other)) => format!("{text:?} and {other:?} both have id {id}"),
            Some(place) => {
                *place = Some(text);
                continue;
            }
        };
        return Err(TokenizerProblem::Ids { last, problem });
    }
    // As many texts as places and no place taken twice: every place is taken.
    Ok(tokens.into_iter().flatten().collect())
}

/// Every byte has a token, and every ordinary token is made of bytes.
fn check_alphabet(tokens: &[String]) -> Result<(), TokenizerProblem> {
    let known: HashSet<&str> = tokens.iter().map(String::as_str).collect();
    let mut alphabet = HashSet::new();
    for byte in 0..=u8::MAX {
        let symbol = byte_symbol(byte);
        if !known.contains(symbol.encode_utf8(&mut [0; 4]) as &str) {
            return Err(TokenizerProblem::MissingByte { byte, symbol });
        }
        alphabet.insert(symbol);
    }
    for token in &tokens[Marker::ALL.len()..] {
        if token.is_empty() || !token.chars().all(|symbol| alphabet.contains(&symbol)) {
            return Err(TokenizerProblem::Token {
                token: token.clone(),
                problem: "is not written in the byte-level alphabet, so llama.cpp could not print it",
            });
        }
    }
    Ok(())
}
