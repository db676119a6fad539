//! Which actions may be given out in this deployment.

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::journal::redaction::compile;

/// Patterns of each kind at most.
pub const PATTERNS: usize = 256;

/// What an operator allows and denies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardRules {
    /// Regular expressions; when there are any, an action must match one of them from its first to its last character.
    pub allow: Vec<String>,
    /// Regular expressions; an action in which one of them matches anything is not given out, whatever allows it.
    pub deny: Vec<String>,
}

/// The rules, ready to be asked.
#[derive(Debug, Clone, Default)]
pub struct ActionGuard {
    allow: Vec<Regex>,
    deny: Vec<Regex>,
}

/// Why an action is not given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial<'a> {
    /// This pattern denies it.
    Denied(&'a str),
    /// No pattern allows it.
    NotAllowed,
    /// It is none of the admissible actions.
    NotListed,
}

impl Denial<'_> {
    /// One word, as in labels and in the audit log.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Denied(_) => "deny",
            Self::NotAllowed => "allow",
            Self::NotListed => "list",
        }
    }
}

impl ActionGuard {
    /// Compiles the rules.
    ///
    /// # Errors
    /// When a pattern is none, or too large.
    pub fn new(rules: &GuardRules) -> Result<Self, regex::Error> {
        let whole = |pattern: &String| {
            // By itself first: `a)|(b` must not become whole between the brackets.
            compile(pattern)?;
            compile(&format!(r"\A(?:{pattern})\z"))
        };
        Ok(Self {
            allow: rules.allow.iter().map(whole).collect::<Result<_, _>>()?,
            deny: rules
                .deny
                .iter()
                .map(|pattern| compile(pattern))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Why an action is not given out, if it is not.
    #[must_use]
    pub fn denial(&self, action: &str) -> Option<Denial<'_>> {
        if let Some(pattern) = self.deny.iter().find(|pattern| pattern.is_match(action)) {
            return Some(Denial::Denied(pattern.as_str()));
        }
        let allowed =
            self.allow.is_empty() || self.allow.iter().any(|pattern| pattern.is_match(action));
        (!allowed).then_some(Denial::NotAllowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], deny: &[&str]) -> Result<ActionGuard, regex::Error> {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        ActionGuard::new(&GuardRules {
            allow: owned(allow),
            deny: owned(deny),
        })
    }

    #[test]
    fn what_is_denied_is_denied_whatever_allows_it() {
        let guard = guard(&["go|go to .*", "open .*"], &["stove", "^open safe"]).unwrap();
        assert_eq!(guard.denial("go"), None);
        assert_eq!(guard.denial("go to fridge 1"), None);
        assert_eq!(guard.denial("gone"), Some(Denial::NotAllowed));
        assert_eq!(guard.denial("please go"), Some(Denial::NotAllowed));
        assert_eq!(
            guard.denial("go to stoveburner 1"),
            Some(Denial::Denied("stove"))
        );
        assert_eq!(
            guard.denial("open safe 1"),
            Some(Denial::Denied("^open safe"))
        );
    }

    #[test]
    fn no_rules_allow_everything_and_bad_ones_are_refused() {
        assert_eq!(guard(&[], &[]).unwrap().denial("anything"), None);
        for pattern in ["(", "a)|(b", r"(\w{100}){1000}", "(?x) a # comment"] {
            assert!(guard(&[pattern], &[]).is_err(), "{pattern}");
        }
        assert!(guard(&[], &["["]).is_err());
    }
}
