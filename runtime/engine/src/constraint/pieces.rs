//! Tokens of single words, remembered.

use std::collections::HashMap;

use crate::native::Token;
use crate::vocabulary::Vocabulary;

/// A world has a few hundred words; a daemon that meets endless ones starts over.
const MOST_WORDS: usize = 4096;

/// Tokenizes words with their leading space.
///
/// Byte-level BPE splits text into words before it merges, so the tokens of ` take egg 2` are those of ` take`, ` egg`
/// and ` 2` one after the other (tested against whole utterances).
#[derive(Debug, Default)]
pub(super) struct Pieces {
    words: HashMap<String, Vec<Token>>,
}

impl Pieces {
    /// Appends the tokens of one word behind a space.
    pub(super) fn push_word(
        &mut self,
        word: &str,
        vocabulary: &mut Vocabulary,
        tokens: &mut Vec<Token>,
    ) {
        if let Some(known) = self.words.get(word) {
            tokens.extend_from_slice(known);
            return;
        }
        let start = tokens.len();
        vocabulary.push_spaced(word, tokens);
        if self.words.len() == MOST_WORDS {
            self.words.clear();
        }
        self.words.insert(word.to_owned(), tokens[start..].to_vec());
    }
}
