//! What can be wrong with a PDDL text.

use std::fmt;

/// A place in a text; both numbers start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line number.
    pub line: u32,
    /// Byte within the line.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a PDDL text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PddlError {
    /// The text is longer than the limit.
    #[error(
        "the text has {bytes} bytes and the limit is {limit}; raise `Limits::max_bytes` if it can be trusted"
    )]
    TooLarge {
        /// Length of the text.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Lists are nested deeper than the limit.
    #[error("{at}: lists are nested deeper than {limit}; flatten the formula")]
    TooDeep {
        /// Where the list that is too deep opens.
        at: Position,
        /// The limit.
        limit: usize,
    },
    /// The text has more words and lists than the limit.
    #[error(
        "{at}: more than {limit} words and lists; raise `Limits::max_nodes` if the text can be trusted"
    )]
    TooMany {
        /// Where counting stopped.
        at: Position,
        /// The limit.
        limit: usize,
    },
    /// A byte that is not ASCII stands outside a comment.
    #[error("{at}: a character that is not ASCII outside a comment; PDDL names are ASCII")]
    NotAscii {
        /// Where it stands.
        at: Position,
    },
    /// A list was not closed.
    #[error("{at}: this '(' is never closed; add ')'")]
    Unclosed {
        /// Where the list opens.
        at: Position,
    },
    /// Something else was expected.
    #[error("{at}: expected {expected}, found {found}")]
    Expected {
        /// Where.
        at: Position,
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A part of PDDL that this reader does not know.
    #[error("{at}: `{what}` is not supported; rewrite it with and, or, not, exists, forall, when")]
    Unsupported {
        /// Where.
        at: Position,
        /// The part.
        what: String,
    },
    /// A predicate that the domain does not declare.
    #[error("{at}: the predicate `{name}` is not declared; add it to (:predicates ...)")]
    UndeclaredPredicate {
        /// Where it is used.
        at: Position,
        /// Its name.
        name: String,
    },
    /// A predicate used with a wrong number of arguments.
    #[error("{at}: `{name}` takes {expected} arguments and has {found} here")]
    WrongArity {
        /// Where it is used.
        at: Position,
        /// Its name.
        name: String,
        /// The declared number.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// The problem belongs to another domain.
    #[error(
        "the problem is of domain `{problem}` and the domain is called `{domain}`; give both of one game"
    )]
    OtherDomain {
        /// Name in the problem.
        problem: String,
        /// Name of the domain.
        domain: String,
    },
}
