//! What llama.cpp would make of a text. It is written for clarity: the corpus is small.

use std::collections::HashMap;

use super::pieces;
use super::rules::Rules;
use super::special::{Part, Specials};
use super::unigram::Unigram;
use super::vocabulary::Vocabulary;
use super::words::Words;

/// A tokenizer as llama.cpp would load it from the GGUF.
#[derive(Debug)]
pub(super) struct Simulation<'a> {
    vocabulary: &'a Vocabulary,
    specials: Specials<'a>,
    algorithm: Algorithm<'a>,
}

#[derive(Debug)]
enum Algorithm<'a> {
    Words {
        words: &'a Words,
        ranks: HashMap<(&'a str, &'a str), usize>,
    },
    Pieces {
        space_prefix: bool,
        strip_right: bool,
    },
    Unigram(Unigram<'a>),
}

impl<'a> Simulation<'a> {
    pub(super) fn new(rules: &'a Rules, vocabulary: &'a Vocabulary) -> Result<Self, String> {
        let algorithm = match rules {
            Rules::Words(splitting) => {
                let mut ranks = HashMap::with_capacity(vocabulary.merges.len());
                for (rank, (left, right)) in vocabulary.merges.iter().enumerate() {
                    ranks.entry((left.as_str(), right.as_str())).or_insert(rank);
                }
                Algorithm::Words {
                    words: splitting.words()?,
                    ranks,
                }
            }
            Rules::Pieces {
                space_prefix,
                strip_right,
            } => Algorithm::Pieces {
                space_prefix: *space_prefix,
                strip_right: *strip_right,
            },
            Rules::Unigram {
                space_prefix,
                merge_spaces,
                character_map,
            } => Algorithm::Unigram(Unigram::new(
                vocabulary,
                *space_prefix,
                *merge_spaces,
                character_map,
            )?),
        };
        Ok(Self {
            vocabulary,
            specials: Specials::of(vocabulary),
            algorithm,
        })
    }

    /// The words of a text, where the rules cut words out.
    pub(super) fn words(&self, text: &str) -> Option<Result<Vec<String>, String>> {
        match &self.algorithm {
            Algorithm::Words { words, .. } => Some(words.split(text)),
            Algorithm::Pieces { .. } | Algorithm::Unigram(_) => None,
        }
    }

    /// The tokens of a text, special tokens recognised, nothing put before or behind.
    pub(super) fn tokenize(&self, text: &str) -> Result<Vec<u32>, String> {
        let strip_right = matches!(
            self.algorithm,
            Algorithm::Pieces {
                strip_right: true,
                ..
            }
        );
        let mut out = Vec::new();
        let mut behind_special = true;
        for part in self.specials.cut(text, strip_right) {
            let text = match part {
                Part::Token(id) => {
                    out.push(id);
                    behind_special = true;
                    continue;
                }
                Part::Text(text) => text,
            };
            match &self.algorithm {
                Algorithm::Words { words, ranks } => {
                    words.tokenize(text, self.vocabulary, ranks, &mut out)?;
                }
                Algorithm::Pieces { space_prefix, .. } => {
                    let prefix = if *space_prefix && behind_special {
                        " "
                    } else {
                        ""
                    };
                    pieces::tokenize(&format!("{prefix}{text}"), self.vocabulary, &mut out)?;
                }
                Algorithm::Unigram(unigram) => unigram.tokenize(text, &mut out)?,
            }
            behind_special = false;
        }
        Ok(out)
    }
}
