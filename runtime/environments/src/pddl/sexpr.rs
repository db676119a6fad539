//! Nested lists, bounded in size and depth.

use super::error::{PddlError, Position};
use super::lexer::{Lexer, Token};

/// How much of a text the reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest text in bytes. Default 16 MiB; a longer text is refused before it is read.
    pub max_bytes: usize,
    /// Deepest nesting of lists. Default 64; later stages recurse over the lists, so this bounds the stack too.
    pub max_depth: usize,
    /// Most words and lists together. Default 2 million.
    pub max_nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 16 << 20,
            max_depth: 64,
            max_nodes: 2_000_000,
        }
    }
}

/// A word or a list, with the place where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sexpr<'a> {
    pub(super) at: Position,
    pub(super) node: Node<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'a> {
    Word(&'a str),
    List(Vec<Sexpr<'a>>),
}

impl<'a> Sexpr<'a> {
    /// The items of a list.
    pub(super) fn list(&self, expected: &'static str) -> Result<&[Sexpr<'a>], PddlError> {
        match &self.node {
            Node::List(items) => Ok(items),
            Node::Word(_) => Err(self.unexpected(expected)),
        }
    }

    /// The text of a word.
    pub(super) fn word(&self, expected: &'static str) -> Result<&'a str, PddlError> {
        match self.node {
            Node::Word(word) => Ok(word),
            Node::List(_) => Err(self.unexpected(expected)),
        }
    }

    /// A list whose first item is a word: that word and the rest.
    pub(super) fn tagged(
        &self,
        expected: &'static str,
    ) -> Result<(&'a str, &[Sexpr<'a>]), PddlError> {
        let (first, rest) = self
            .list(expected)?
            .split_first()
            .ok_or_else(|| self.unexpected(expected))?;
        Ok((first.word(expected)?, rest))
    }

    /// The error that something else should stand here.
    pub(super) fn unexpected(&self, expected: &'static str) -> PddlError {
        let found = match &self.node {
            Node::Word(word) => format!("`{word}`"),
            Node::List(items) if items.is_empty() => "an empty list".to_owned(),
            Node::List(_) => "a list".to_owned(),
        };
        PddlError::Expected {
            at: self.at,
            expected,
            found,
        }
    }
}

/// Reads the one list that a PDDL document is. The text is expected in lower case already.
pub(super) fn read<'a>(text: &'a str, limits: &Limits) -> Result<Sexpr<'a>, PddlError> {
    if text.len() > limits.max_bytes {
        return Err(PddlError::TooLarge {
            bytes: text.len(),
            limit: limits.max_bytes,
        });
    }
    let mut lexer = Lexer::new(text);
    let mut open: Vec<(Position, Vec<Sexpr<'a>>)> = Vec::new();
    let mut nodes = 0_usize;
    while let Some((at, token)) = lexer.next_token()? {
        nodes += 1;
        if nodes > limits.max_nodes {
            return Err(PddlError::TooMany {
                at,
                limit: limits.max_nodes,
            });
        }
        match token {
            Token::Open if open.len() >= limits.max_depth => {
                return Err(PddlError::TooDeep {
                    at,
                    limit: limits.max_depth,
                });
            }
            Token::Open => open.push((at, Vec::new())),
            Token::Close => {
                let Some((at, items)) = open.pop() else {
                    return Err(PddlError::Expected {
                        at,
                        expected: "`(`",
                        found: "`)`".to_owned(),
                    });
                };
                let list = Sexpr {
                    at,
                    node: Node::List(items),
                };
                match open.last_mut() {
                    Some((_, parent)) => parent.push(list),
                    None => return end(&mut lexer).map(|()| list),
                }
            }
            Token::Word(word) => match open.last_mut() {
                Some((_, parent)) => parent.push(Sexpr {
                    at,
                    node: Node::Word(word),
                }),
                None => {
                    return Err(PddlError::Expected {
                        at,
                        expected: "`(`",
                        found: format!("`{word}`"),
                    });
                }
            },
        }
    }
    Err(match open.pop() {
        Some((at, _)) => PddlError::Unclosed { at },
        None => PddlError::Expected {
            at: lexer.position(),
            expected: "`(define ...)`",
            found: "nothing".to_owned(),
        },
    })
}

fn end(lexer: &mut Lexer<'_>) -> Result<(), PddlError> {
    match lexer.next_token()? {
        None => Ok(()),
        Some((at, _)) => Err(PddlError::Expected {
            at,
            expected: "the end of the text",
            found: "more of it".to_owned(),
        }),
    }
}
