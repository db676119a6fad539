//! Words and parentheses with their place.

use super::error::{PddlError, Position};

/// One token of a PDDL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// Anything else up to a space, a parenthesis or the `?` of the next variable.
    Word(&'a str),
}

/// Walks over a text token by token. The text is expected in lower case already.
pub(super) struct Lexer<'a> {
    text: &'a str,
    offset: usize,
    line: u32,
    line_start: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            offset: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// The place of the next byte.
    pub(super) fn position(&self) -> Position {
        let column = u32::try_from(self.offset - self.line_start + 1).unwrap_or(u32::MAX);
        Position {
            line: self.line,
            column,
        }
    }

    /// The next token and its place, or `None` at the end.
    pub(super) fn next_token(&mut self) -> Result<Option<(Position, Token<'a>)>, PddlError> {
        self.skip_blank();
        let at = self.position();
        let bytes = self.text.as_bytes();
        let Some(&first) = bytes.get(self.offset) else {
            return Ok(None);
        };
        let token = match first {
            b'(' => {
                self.offset += 1;
                Token::Open
            }
            b')' => {
                self.offset += 1;
                Token::Close
            }
            _ => Token::Word(self.word(at)?),
        };
        Ok(Some((at, token)))
    }

    fn word(&mut self, at: Position) -> Result<&'a str, PddlError> {
        let bytes = self.text.as_bytes();
        let start = self.offset;
        let mut end = start + 1;
        // The first byte may be the '?' of a variable; a later one starts the next word.
        while end < bytes.len() && !ends_word(bytes[end]) {
            end += 1;
        }
        self.offset = end;
        match self.text.get(start..end) {
            Some(word) if word.is_ascii() => Ok(word),
            _ => Err(PddlError::NotAscii { at }),
        }
    }

    fn skip_blank(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.offset) {
            match byte {
                b'\n' => {
                    self.line = self.line.saturating_add(1);
                    self.line_start = self.offset + 1;
                }
                b';' => {
                    let rest = &bytes[self.offset..];
                    self.offset += rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
                    continue;
                }
                byte if byte <= b' ' => {}
                _ => return,
            }
            self.offset += 1;
        }
    }
}

fn ends_word(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'(' | b')' | b';' | b'?')
}
