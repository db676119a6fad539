//! Texts that match a grammar.
//!
//! | module | holds |
//! |---|---|
//! | `gbnf` | llama.cpp's GBNF, read and written as a grammar of llguidance |
//! | `compile` | from what a client sent to what decides about tokens; all bounds |
//! | `matching` | one text on its way through its grammar |
//!
//! The grammar engine is [llguidance](https://github.com/guidance-ai/llguidance), not llama.cpp's own sampler: that keeps a
//! list of stacks, which `s ::= "a" s "x" | "a" s "y" | "a"` doubles with every character, and searches for left recursion
//! along every path, so a grammar of a few lines takes all memory and time there is, and a character that it does not expect
//! aborts the process. llguidance parses by Earley's algorithm, under limits, and reports what goes wrong.

mod compile;
mod gbnf;
mod matching;

pub(crate) use self::compile::Grammars;
pub(crate) use self::matching::Matching;

/// What a text must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grammar {
    /// A grammar in GBNF, whose rule `root` is the whole text.
    Gbnf(String),
    /// A JSON schema, as JSON. The text is one JSON value under it, with no space but one behind `,` and `:`.
    JsonSchema(String),
}

impl Grammar {
    /// Bytes of a grammar or schema at most.
    pub const MOST_BYTES: usize = 64 << 10;

    /// What the client wrote.
    #[must_use]
    pub fn source(&self) -> &str {
        match self {
            Self::Gbnf(source) | Self::JsonSchema(source) => source,
        }
    }
}
