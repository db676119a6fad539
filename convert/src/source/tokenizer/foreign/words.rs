//! llama.cpp's "gpt2": words are cut out by expressions, bytes are written as letters, pairs are joined by rank.

use std::collections::HashMap;

use fancy_regex::Regex;

use super::rules::Splitting;
use super::vocabulary::Vocabulary;
use crate::source::tokenizer::byte_symbol;

/// A splitting ready to use.
#[derive(Debug)]
pub(super) struct Words {
    expressions: Vec<Regex>,
    whole_words_first: bool,
}

impl Words {
    pub(super) fn new(splitting: &Splitting) -> Result<Self, String> {
        let compile = |expression: &&str| Regex::new(expression).map_err(|error| error.to_string());
        Ok(Self {
            expressions: splitting
                .expressions
                .iter()
                .map(compile)
                .collect::<Result<_, _>>()?,
            whole_words_first: splitting.whole_words_first,
        })
    }

    /// The words of a text, bytes written as letters.
    pub(super) fn split(&self, text: &str) -> Result<Vec<String>, String> {
        let mut words = vec![text];
        for expression in &self.expressions {
            let mut finer = Vec::new();
            for word in words {
                let mut end = 0;
                for found in expression.find_iter(word) {
                    let found = found.map_err(|error| error.to_string())?;
                    finer.extend([&word[end..found.start()], found.as_str()]);
                    end = found.end();
                }
                finer.push(&word[end..]);
            }
            finer.retain(|word| !word.is_empty());
            words = finer;
        }
        let letters = |word: &str| word.bytes().map(byte_symbol).collect();
        Ok(words.into_iter().map(letters).collect())
    }

    /// Appends the tokens of `text`.
    pub(super) fn tokenize(
        &self,
        text: &str,
        vocabulary: &Vocabulary,
        ranks: &HashMap<(&str, &str), usize>,
        out: &mut Vec<u32>,
    ) -> Result<(), String> {
        for word in self.split(text)? {
            match vocabulary.id(&word) {
                Some(token) if self.whole_words_first => out.push(token),
                _ => join(&word, vocabulary, ranks, out),
            }
        }
        Ok(())
    }
}

/// Joins the pair of the lowest rank, the first of equals, until none is left.
fn join(
    word: &str,
    vocabulary: &Vocabulary,
    ranks: &HashMap<(&str, &str), usize>,
    out: &mut Vec<u32>,
) {
    let bounds = word.char_indices().map(|(at, _)| at);
    let mut bounds: Vec<usize> = bounds.chain([word.len()]).collect();
    loop {
        let pair = |at: usize| {
            let left = &word[bounds[at - 1]..bounds[at]];
            let right = &word[bounds[at]..bounds[at + 1]];
            ranks.get(&(left, right)).map(|&rank| (rank, at))
        };
        let best = (1..bounds.len().saturating_sub(1)).filter_map(pair).min();
        let Some((_, at)) = best else { break };
        bounds.remove(at);
    }
    for part in bounds.windows(2) {
        let symbol = &word[part[0]..part[1]];
        match vocabulary.id(symbol) {
            Some(token) => out.push(token),
            // llama.cpp falls back to single bytes of the letters, of which only ASCII ones can be tokens.
            None => out.extend(symbol.chars().filter_map(|letter| {
                let ascii = letter.is_ascii().then(|| letter.to_string());
                ascii.and_then(|letter| vocabulary.id(&letter))
            })),
        }
    }
}
