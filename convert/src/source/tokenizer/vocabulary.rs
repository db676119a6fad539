//! The tokens, their ids and the merges must hold together.

use std::collections::{HashMap, HashSet};

use stride_firmware_config::frame::Marker;

use super::byte_symbol;
use super::raw::RawAdded;
use crate::source::TokenizerProblem;

/// The added tokens are the markers, all of them, with their ids, matched wherever they stand.
pub(super) fn check_markers(
    vocab: &HashMap<String, u32>,
    added: &[RawAdded],
) -> Result<(), TokenizerProblem> {
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

/// Every merge joins two tokens into a third that is no marker, and stands once.
pub(super) fn check_merges(
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
pub(super) fn in_order(vocab: HashMap<String, u32>) -> Result<Vec<String>, TokenizerProblem> {
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
pub(super) fn check_alphabet(tokens: &[String]) -> Result<(), TokenizerProblem> {
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
