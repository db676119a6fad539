//! The name of an agent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use stride_client::api::AGENT_ID;

/// The name of an agent: 1 to [`AGENT_ID`] ASCII letters, digits, `-` and `_`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentId([u8; AGENT_ID]);

/// A text that names no agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an agent's id has 1 to {AGENT_ID} ASCII letters, digits, `-` and `_`")]
pub struct NoAgentId;

impl AgentId {
    /// An id that nobody can guess: 128 random bits.
    #[must_use]
    pub fn random() -> Self {
        let digits = format!("{:032x}", rand::random::<u128>());
        let mut id = [0; AGENT_ID];
        id.copy_from_slice(digits.as_bytes());
        Self(id)
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let end = self
            .0
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(AGENT_ID);
        // Only ASCII was let in.
        std::str::from_utf8(&self.0[..end]).unwrap_or_default()
    }

    /// A number that stays with the name; two names may share one.
    #[must_use]
    pub fn number(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) const fn of_key(key: &[u8; AGENT_ID]) -> Self {
        Self(*key)
    }

    pub(super) const fn key(&self) -> &[u8; AGENT_ID] {
        &self.0
    }
}

impl FromStr for AgentId {
    type Err = NoAgentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > AGENT_ID || !text.bytes().all(plain) {
            return Err(NoAgentId);
        }
        let mut id = [0; AGENT_ID];
        id[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self(id))
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_come_back() {
        for text in ["a", "Agent-7_x", &"z".repeat(AGENT_ID)] {
            let id: AgentId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
        }
        for text in ["", "a/b", "ä", "a b", "..", &"z".repeat(AGENT_ID + 1)] {
            assert!(text.parse::<AgentId>().is_err(), "{text}");
        }
        assert_ne!(AgentId::random(), AgentId::random());
        assert_eq!(AgentId::random().as_str().len(), AGENT_ID);
    }
}
