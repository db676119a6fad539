//! Tokens, kinds, scores and merges out of a `tokenizer.json`, and the rules that may stand for it.

use std::collections::HashMap;

use serde_json::Value;

use super::pieces::SPACE;
use super::rules::{Rules, SPLITTINGS};
use crate::source::TokenizerProblem;
use crate::source::tokenizer::raw::{RawAdded, RawBpe, RawTokenizer, RawUnigram};
use crate::source::tokenizer::rules::describe;
use crate::source::tokenizer::{byte_symbol, split_merges};

/// Ids at most.
const MOST_TOKENS: usize = 1 << 22;
/// Ids without a text at most: each becomes an unused token, which a file gets for nothing.
const MOST_UNUSED: usize = 1 << 12;
/// Merges at most: their ranks become scores, which are exact up to here.
const MOST_MERGES: usize = 1 << 24;
/// Tokens that llama.cpp asks for by name where it drops white space behind special tokens.
const NEEDED_TO_STRIP: [&str; 4] = ["</s>", "<unk>", "<s>", "<|endoftext|>"];

/// What a token is (`enum llama_token_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// Text.
    Normal,
    /// Stands for what has no token.
    Unknown,
    /// Special: never made of plain text.
    Control,
    /// Added: cut out of every text before the rules apply.
    UserDefined,
    /// An id that no text has.
    Unused,
    /// A single byte.
    Byte,
}

impl TokenKind {
    /// Its number in a GGUF.
    #[must_use]
    pub const fn id(self) -> i32 {
        match self {
            Self::Normal => 1,
            Self::Unknown => 2,
            Self::Control => 3,
            Self::UserDefined => 4,
            Self::Unused => 5,
            Self::Byte => 6,
        }
    }
}

/// What the GGUF will hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Vocabulary {
    pub(super) tokens: Vec<String>,
    pub(super) kinds: Vec<TokenKind>,
    pub(super) scores: Option<Vec<f32>>,
    pub(super) merges: Vec<(String, String)>,
    pub(super) unknown: Option<u32>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    pub(super) fn id(&self, text: &str) -> Option<u32> {
        self.ids.get(text).copied()
    }

    pub(super) fn score(&self, id: u32) -> f32 {
        let scores = self.scores.as_deref().unwrap_or_default();
        scores.get(id as usize).copied().unwrap_or(0.0)
    }

    /// Added tokens that hold the sign for a space, as texts with spaces; `None` where there are none.
    pub(super) fn respaced(&self) -> Option<Self> {
        let mut other = self.clone();
        for id in self.spaced() {
            let text = &mut other.tokens[id];
            let plain = text.replace(SPACE, " ");
            other.ids.remove(text.as_str());
            other.ids.insert(plain.clone(), id as u32);
            *text = plain;
        }
        (other.tokens != self.tokens).then_some(other)
    }

    /// The same tokens as ordinary ones, which the rules make of spaces; `None` where there are none.
    pub(super) fn ordinary_spaces(&self) -> Option<Self> {
        let mut other = self.clone();
        for id in self.spaced() {
            other.kinds[id] = TokenKind::Normal;
        }
        (other.kinds != self.kinds).then_some(other)
    }

    fn spaced(&self) -> impl Iterator<Item = usize> {
        let added = |&id: &usize| {
            self.kinds[id] == TokenKind::UserDefined && self.tokens[id].contains(SPACE)
        };
        (0..self.tokens.len()).filter(added)
    }
}

/// The vocabulary and the rules to try.
pub(super) fn read(raw: RawTokenizer) -> Result<(Vocabulary, Vec<Rules>), TokenizerProblem> {
    let kind = raw.model.get("type").and_then(Value::as_str);
    // Very old files leave the type out.
    let bpe = kind == Some("BPE") || (kind.is_none() && raw.model.get("merges").is_some());
    if bpe {
        let whole = raw.model.get("byte_fallback").and_then(Value::as_bool) == Some(true);
        let model: RawBpe = parse(raw.model)?;
        check_model(&model)?;
        if whole {
            return pieces(model, &raw.added_tokens);
        }
        return words(model, &raw.added_tokens);
    }
    if kind == Some("Unigram") {
        let map = character_map(&raw.normalizer)?;
        return unigram(parse(raw.model)?, &raw.added_tokens, &map);
    }
    Err(TokenizerProblem::Part {
        part: "model",
        found: describe(&raw.model),
        needed: "BPE or Unigram",
    })
}

fn parse<T: serde::de::DeserializeOwned>(model: Value) -> Result<T, TokenizerProblem> {
    serde_json::from_value(model).map_err(|error| TokenizerProblem::Rejected {
        reason: error.to_string(),
    })
}

/// Settings that no rules of llama.cpp have.
fn check_model(model: &RawBpe) -> Result<(), TokenizerProblem> {
    let set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    let part = if model.dropout.is_some_and(|rate| rate != 0.0) {
        "dropout"
    } else if set(&model.continuing_subword_prefix) {
        "continuing_subword_prefix"
    } else if set(&model.end_of_word_suffix) {
        "end_of_word_suffix"
    } else {
        return Ok(());
    };
    Err(TokenizerProblem::Part {
        part,
        found: "set".into(),
        needed: "none",
    })
}

fn words(model: RawBpe, added: &[RawAdded]) -> Result<(Vocabulary, Vec<Rules>), TokenizerProblem> {
    let whole_words_first = model.ignore_merges;
    let texts = model.vocab.into_iter().map(|(text, id)| (id, text));
    let mut vocabulary = assemble(texts, added)?;
    // A byte without a token (SmolLM2 has none for some control characters) is left out by both programs; the corpus shows it.
    vocabulary.merges = merges(model.merges)?;
    let fits = SPLITTINGS
        .iter()
        .filter(|splitting| splitting.whole_words_first == whole_words_first);
    Ok((vocabulary, fits.map(Rules::Words).collect()))
}

fn pieces(model: RawBpe, added: &[RawAdded]) -> Result<(Vocabulary, Vec<Rules>), TokenizerProblem> {
    if model.ignore_merges {
        return Err(TokenizerProblem::Part {
            part: "ignore_merges",
            found: "set".into(),
            needed: "false where byte_fallback is set",
        });
    }
    let texts = model.vocab.into_iter().map(|(text, id)| (id, text));
    let mut vocabulary = assemble(texts, added)?;
    vocabulary.mark_unknown(model.unk_token.as_deref());
    for byte in 0..=u8::MAX {
        let Some(id) = vocabulary.id(&format!("<0x{byte:02X}>")) else {
            let symbol = byte_symbol(byte);
            return Err(TokenizerProblem::MissingByte { byte, symbol });
        };
        vocabulary.kinds[id as usize] = TokenKind::Byte;
    }
    let merges = merges(model.merges)?;
    // A token is worth the rank of the first merge that makes it; one that no merge makes comes last.
    let last = -(merges.len() as f32) - 1.0;
    let mut scores = vec![last; vocabulary.tokens.len()];
    for (rank, (left, right)) in merges.iter().enumerate().rev() {
        if let Some(id) = vocabulary.id(&format!("{left}{right}")) {
            scores[id as usize] = -(rank as f32);
        }
    }
    vocabulary.scores = Some(scores);
    let can_strip = NEEDED_TO_STRIP
        .iter()
        .all(|token| vocabulary.id(token).is_some());
    let strips: &[bool] = if can_strip { &[false, true] } else { &[false] };
    let mut rules = Vec::new();
    for &strip_right in strips {
        for space_prefix in [true, false] {
            rules.push(Rules::Pieces {
                space_prefix,
                strip_right,
            });
        }
    }
    Ok((vocabulary, rules))
}

fn unigram(
    model: RawUnigram,
    added: &[RawAdded],
    character_map: &[u8],
) -> Result<(Vocabulary, Vec<Rules>), TokenizerProblem> {
    let (texts, mut scores): (Vec<String>, Vec<f32>) = model
        .vocab
        .into_iter()
        .map(|(text, score)| (text, score as f32))
        .unzip();
    let mut vocabulary = assemble((0..).zip(texts), added)?;
    scores.resize(vocabulary.tokens.len(), 0.0);
    vocabulary.scores = Some(scores);
    let unknown = model.unk_id.map(|id| id as usize);
    let unknown = unknown.and_then(|id| vocabulary.tokens.get(id).cloned());
    vocabulary.mark_unknown(unknown.as_deref());
    let choices = [(true, true), (true, false), (false, true), (false, false)];
    let rules = choices.map(|(space_prefix, merge_spaces)| Rules::Unigram {
        space_prefix,
        merge_spaces,
        character_map: character_map.to_vec(),
    });
    Ok((vocabulary, rules.into()))
}

impl Vocabulary {
    fn mark_unknown(&mut self, token: Option<&str>) {
        self.unknown = token.and_then(|token| self.id(token));
        if let Some(id) = self.unknown {
            self.kinds[id as usize] = TokenKind::Unknown;
        }
    }
}

fn merges(
    raw: Vec<crate::source::tokenizer::raw::RawMerge>,
) -> Result<Vec<(String, String)>, TokenizerProblem> {
    let merges = split_merges(raw)?;
    if merges.len() > MOST_MERGES {
        let reason = format!("it has {} merges; {MOST_MERGES} are allowed", merges.len());
        return Err(TokenizerProblem::Rejected { reason });
    }
    let spaced = |half: &str| half.contains(' ');
    let odd = |(left, right): &(String, String)| spaced(left) || spaced(right);
    match merges.iter().position(odd) {
        None => Ok(merges),
        Some(index) => Err(TokenizerProblem::Merge {
            index,
            left: merges[index].0.clone(),
            right: merges[index].1.clone(),
            problem: "holds a space, which separates the halves in GGUF",
        }),
    }
}

/// Puts all texts in their places; ids that nobody has become unused tokens.
fn assemble(
    texts: impl Iterator<Item = (u32, String)>,
    added: &[RawAdded],
) -> Result<Vocabulary, TokenizerProblem> {
    let own = added.iter().map(|token| (token.id, token.content.clone()));
    let texts: Vec<(u32, String)> = texts.chain(own).collect();
    let most = MOST_TOKENS.min(texts.len() + MOST_UNUSED);
    let mut places: Vec<Option<String>> = Vec::new();
    for (id, text) in texts {
        let at = id as usize;
        let refuse = |problem: String| TokenizerProblem::Ids {
            last: places.len().saturating_sub(1),
            problem,
        };
        if at >= most {
            return Err(refuse(format!(
                "{text:?} has id {id}; {most} ids are allowed, {MOST_UNUSED} of them without a token"
            )));
        }
        if text.is_empty() {
            return Err(TokenizerProblem::Token {
                token: text,
                problem: "is empty, which llama.cpp cannot hold",
            });
        }
        if text.contains('\0') {
            return Err(TokenizerProblem::Token {
                token: text,
                problem: "holds U+0000, at which llama.cpp ends the text of a token",
            });
        }
        if let Some(Some(other)) = places.get(at)
            && *other != text
        {
            return Err(refuse(format!("{text:?} and {other:?} both have id {id}")));
        }
        if places.len() <= at {
            places.resize(at + 1, None);
        }
        places[at] = Some(text);
    }
    let mut vocabulary = Vocabulary::default();
    for (id, place) in places.into_iter().enumerate() {
        let kind = if place.is_some() {
            TokenKind::Normal
        } else {
            TokenKind::Unused
        };
        let text = place.unwrap_or_else(|| format!("[PAD{id}]"));
        // Bounded above.
        if vocabulary.ids.insert(text.clone(), id as u32).is_some() {
            return Err(TokenizerProblem::Token {
                token: text,
                problem: "stands for two ids, which llama.cpp cannot hold",
            });
        }
        vocabulary.tokens.push(text);
        vocabulary.kinds.push(kind);
    }
    for token in added {
        let kind = if token.special {
            TokenKind::Control
        } else {
            TokenKind::UserDefined
        };
        vocabulary.kinds[token.id as usize] = kind;
    }
    Ok(vocabulary)
}

/// The compiled map of characters of a normalizer, or of one in a sequence; it stands in base64.
fn character_map(normalizer: &Value) -> Result<Vec<u8>, TokenizerProblem> {
    let parts = normalizer.get("normalizers").and_then(Value::as_array);
    let parts = parts.map_or(std::slice::from_ref(normalizer), Vec::as_slice);
    let map = parts
        .iter()
        .find_map(|part| part.get("precompiled_charsmap"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    base64(map).ok_or_else(|| TokenizerProblem::Rejected {
        reason: "its precompiled_charsmap is not base64".into(),
    })
}

pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let six = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_rfc_4648_has_it() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(base64("Zm9*"), None);
    }
}
