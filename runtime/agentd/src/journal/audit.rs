//! The audit log: every action that was not given out.

use serde::Serialize;

use super::redaction::Redactor;
use super::writer::{Lines, Scribe};

/// An action that was not given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Seconds since 1970.
    pub time: u64,
    /// Whose action.
    pub agent: String,
    /// The request that it would have answered.
    pub request_id: String,
    /// Its number in the episode, from 1.
    pub step: u32,
    /// The subtask that it was to serve.
    pub subtask: String,
    /// The action.
    pub action: String,
    /// `deny`: it matches a pattern that denies; `allow`: it matches none that allows; `list`: it is none of the admissible.
    pub rule: &'static str,
    /// The pattern that denies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// Writes them down.
#[derive(Debug)]
pub struct Audit(pub Redactor);

impl Scribe<Refused> for Audit {
    fn note(&mut self, note: Refused, lines: &mut Lines) {
        lines.push(&Refused {
            subtask: self.0.redact(&note.subtask),
            action: self.0.redact(&note.action),
            ..note
        });
    }
}
