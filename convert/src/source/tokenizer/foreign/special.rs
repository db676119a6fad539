//! Special tokens are cut out of a text before everything else, the longest first.

use super::vocabulary::{TokenKind, Vocabulary};

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// Still to be tokenized.
    Text(&'a str),
    /// A special token.
    Token(u32),
}

/// The special tokens of a vocabulary, the longest first.
#[derive(Debug)]
pub(super) struct Specials<'a> {
    tokens: Vec<(&'a str, u32)>,
}

impl<'a> Specials<'a> {
    pub(super) fn of(vocabulary: &'a Vocabulary) -> Self {
        let cut_out = |kind| {
            matches!(
                kind,
                TokenKind::Control | TokenKind::UserDefined | TokenKind::Unknown
            )
        };
        let mut tokens: Vec<(&str, u32)> = (0..)
            .zip(vocabulary.tokens.iter().zip(&vocabulary.kinds))
            .filter(|(_, (_, kind))| cut_out(**kind))
            .map(|(id, (text, _))| (text.as_str(), id))
            .collect();
        tokens.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { tokens }
    }

    /// The parts of a text. With `strip_right` white space behind a special token is dropped, but for those that
    /// llama.cpp leaves out.
    pub(super) fn cut<'t>(&self, text: &'t str, strip_right: bool) -> Vec<Part<'t>> {
        const NOT_STRIPPED: [&str; 3] = ["<unk>", "<s>", "<|endoftext|>"];
        let mut parts = vec![Part::Text(text)];
        for &(special, id) in self
            .tokens
            .iter()
            .filter(|(special, _)| text.contains(special))
        {
            let strip = strip_right && !NOT_STRIPPED.contains(&special);
            let cut = |part: Part<'t>| match part {
                Part::Token(_) => vec![part],
                Part::Text(text) => {
                    let mut finer = Vec::new();
                    for (nth, piece) in text.split(special).enumerate() {
                        let mut piece = piece;
                        if nth > 0 {
                            finer.push(Part::Token(id));
                            if strip {
                                piece = piece
                                    .trim_start_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']);
                            }
                        }
                        if !piece.is_empty() {
                            finer.push(Part::Text(piece));
                        }
                    }
                    finer
                }
            };
            parts = parts.into_iter().flat_map(cut).collect();
        }
        parts
    }
}
