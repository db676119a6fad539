//! What is replaced before anything is written.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Bytes that a compiled pattern may take.
pub const PATTERN_SIZE: usize = 1 << 20;

/// Replaces what a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A regular expression, in the syntax of the crate `regex`.
    pub pattern: String,
    /// What stands in its place; `$1` is the first group.
    pub replacement: String,
}

/// Rules, ready to be applied one after another.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    rules: Vec<(Regex, String)>,
}

impl Redactor {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When a pattern is none, or too large.
    pub fn new(rules: &[Rule]) -> Result<Self, regex::Error> {
        let compile = |rule: &Rule| Ok((compile(&rule.pattern)?, rule.replacement.clone()));
        Ok(Self {
            rules: rules.iter().map(compile).collect::<Result<_, _>>()?,
        })
    }

    /// The text as it may be written.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, replacement) in &self.rules {
            let replaced = match pattern.replace_all(&text, replacement.as_str()) {
                Cow::Owned(replaced) => Some(replaced),
                Cow::Borrowed(_) => None,
            };
            text = replaced.unwrap_or(text);
        }
        text
    }

    /// Whether nothing is ever replaced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// A pattern of bounded size.
///
/// # Errors
/// When it is none, or too large.
pub fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(PATTERN_SIZE).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pattern: &str, replacement: &str) -> Rule {
        Rule {
            pattern: pattern.into(),
            replacement: replacement.into(),
        }
    }

    #[test]
    fn rules_are_applied_in_order() {
        let rules = [
            rule(r"\b(\d{3})\d+", "$1..."),
            rule("(?i)alice", "[name]"),
            rule("name", "N"),
        ];
        let redactor = Redactor::new(&rules).unwrap();
        assert_eq!(redactor.redact("ALICE called 555123"), "[N] called 555...");
        assert!(Redactor::new(&[rule("(", "")]).is_err());
        assert!(Redactor::new(&[rule(r"(\w{100}){1000}", "")]).is_err());
    }
}
