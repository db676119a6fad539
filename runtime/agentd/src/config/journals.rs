//! What is written beside the agents, and which actions are given out.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Config, ConfigError, refuse};
use crate::agents::guard::{ActionGuard, PATTERNS};
use crate::journal::Redactor;
use crate::journal::files::Bounds;
use crate::journal::redaction::Rule;

/// Bytes of a pattern at most.
const PATTERN: usize = 1024;

/// The transition log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Write transitions for `stride-train`; default false.
    pub enabled: bool,
    /// Where to; default `transitions` in the state folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Bytes of one file at most, packed; default 8388608.
    pub file_bytes: u64,
    /// Files at most; the oldest goes when another is begun; default 16.
    pub files: u64,
    /// Bytes that are left free on the disk, for the agents: the log stops before it takes them; default 67108864.
    pub reserve_bytes: u64,
    /// Bytes of memory for episodes under way; default 16777216.
    pub pending_bytes: usize,
    /// What is replaced in every text before it is written, here and in the audit log; default nothing.
    pub redact: Vec<Rule>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            enabled: false,
            folder: None,
            file_bytes: 8 << 20,
            files: 16,
            reserve_bytes: 64 << 20,
            pending_bytes: 16 << 20,
            redact: Vec::new(),
        }
    }
}

/// The audit log of actions that were not given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Where to; default `audit` in the state folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Bytes of one file at most; default 1048576.
    pub file_bytes: u64,
    /// Files at most; the oldest goes when another is begun; default 8.
    pub files: u64,
    /// Bytes that are left free on the disk; default 16777216.
    pub reserve_bytes: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            folder: None,
            file_bytes: 1 << 20,
            files: 8,
            reserve_bytes: 16 << 20,
        }
    }
}

impl Log {
    /// Where, and how much.
    #[must_use]
    pub fn bounds(&self, state: &Path) -> Bounds {
        Bounds {
            folder: folder(self.folder.as_ref(), state, "transitions"),
            file_bytes: self.file_bytes,
            files: self.files,
            reserve_bytes: self.reserve_bytes,
        }
    }
}

impl Audit {
    /// Where, and how much.
    #[must_use]
    pub fn bounds(&self, state: &Path) -> Bounds {
        Bounds {
            folder: folder(self.folder.as_ref(), state, "audit"),
            file_bytes: self.file_bytes,
            files: self.files,
            reserve_bytes: self.reserve_bytes,
        }
    }
}

fn folder(named: Option<&PathBuf>, state: &Path, name: &str) -> PathBuf {
    named.cloned().unwrap_or_else(|| state.join(name))
}

impl Config {
    /// The guard that the settings describe.
    ///
    /// # Errors
    /// When a pattern of it is none.
    pub fn action_guard(&self) -> Result<ActionGuard, ConfigError> {
        let pattern = |source| ConfigError::Pattern {
            key: "guard",
            source: Box::new(source),
        };
        ActionGuard::new(&self.guard).map_err(pattern)
    }

    /// What the settings replace in texts.
    ///
    /// # Errors
    /// When a pattern of it is none.
    pub fn redactor(&self) -> Result<Redactor, ConfigError> {
        let pattern = |source| ConfigError::Pattern {
            key: "log.redact",
            source: Box::new(source),
        };
        Redactor::new(&self.log.redact).map_err(pattern)
    }

    pub(super) fn check_journals(&self) -> Result<(), ConfigError> {
        let (log, audit, guard) = (&self.log, &self.audit, &self.guard);
        let least = [
            ("log.file_bytes", log.file_bytes, 64 << 10),
            ("log.files", log.files, 1),
            ("log.pending_bytes", log.pending_bytes as u64, 64 << 10),
            ("audit.file_bytes", audit.file_bytes, 4 << 10),
            ("audit.files", audit.files, 1),
        ];
        for (key, value, least) in least {
            if value < least {
                return Err(refuse(key, value, "it is too small to work"));
            }
        }
        let most = [
            // A file is read whole when it is repaired.
            ("log.file_bytes", log.file_bytes, 256 << 20),
            ("log.files", log.files, 1 << 16),
            ("audit.file_bytes", audit.file_bytes, 256 << 20),
            ("audit.files", audit.files, 1 << 16),
            ("guard.allow", guard.allow.len() as u64, PATTERNS as u64),
            ("guard.deny", guard.deny.len() as u64, PATTERNS as u64),
            ("log.redact", log.redact.len() as u64, PATTERNS as u64),
        ];
        for (key, value, most) in most {
            if value > most {
                return Err(refuse(key, value, "it is more than this program takes"));
            }
        }
        let redacted = log.redact.iter().map(|rule| &rule.pattern);
        let patterns = guard.allow.iter().chain(&guard.deny).chain(redacted);
        if let Some(long) = patterns.into_iter().find(|text| text.len() > PATTERN) {
            return Err(refuse("pattern", long.len(), "it has more than 1024 bytes"));
        }
        self.action_guard()?;
        self.redactor()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Flags;
    use super::*;

    fn settled(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let base = "models = 'm'\nstate = 's'\nlisten = ['unix:/a']\n";
        std::fs::write(&file, format!("{base}{text}")).unwrap();
        Config::settle(Flags {
            config: Some(file.path().into()),
            ..Flags::default()
        })
    }

    #[test]
    fn patterns_are_checked_when_the_daemon_starts() {
        let good = "[log]\nenabled = true\nredact = [{ pattern = '\\d+', replacement = 'N' }]\n[guard]\ndeny = ['x']";
        let config = settled(good).unwrap();
        assert_eq!(config.redactor().unwrap().redact("a 12"), "a N");
        assert!(config.action_guard().unwrap().denial("x").is_some());
        assert_eq!(
            config.log.bounds(&config.state).folder,
            Path::new("s/transitions")
        );
        let refused = |text: &str| settled(text).unwrap_err().to_string();
        assert!(refused("[guard]\nallow = ['(']").contains("guard"));
        assert!(
            refused("[log]\nredact = [{ pattern = '(', replacement = '' }]").contains("log.redact")
        );
        assert!(refused("[log]\nfiles = 0").contains("log.files = 0"));
        let long = "x".repeat(2000);
        assert!(refused(&format!("[guard]\ndeny = ['{long}']")).contains("1024"));
    }
}
