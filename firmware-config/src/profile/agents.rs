//! How many agents one board keeps, and for how long.

use serde::{Deserialize, Serialize};

use super::ProfileError;
use super::range::Field;

/// How many agents one board keeps, and for how long.
///
/// An agent between two steps is a record of 4 KiB on disk and nothing else, so these are limits of storage and of order,
/// not of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agents {
    /// Agents at most, 1 to [`Agents::MAX`]; default 1024. When a daemon is full, a new agent takes the place of the one
    /// whose episode ended longest ago, else of the one that is idle longest, else it is refused.
    pub capacity: u32,
    /// Seconds without a step after which an agent counts as idle, which means that a new one may take its place in a full
    /// daemon; default 3600. 0 means that no agent makes room before its episode has ended.
    pub idle_seconds: u32,
    /// Seconds without a step after which an agent is deleted, full or not; default 604800, a week. 0 means never.
    pub expire_seconds: u32,
}

impl Agents {
    /// The agents of the standard profile.
    pub const STANDARD: Self = Self {
        capacity: 1024,
        idle_seconds: 3600,
        expire_seconds: 604_800,
    };

    /// Agents at most: 4 GiB of records.
    pub const MAX: u32 = 1 << 20;

    pub(super) fn problems(&self, report: &mut dyn FnMut(ProfileError)) {
        Field::new("agents.capacity", u64::from(self.capacity))
            .at_least(1, "a daemon without agents serves nobody", report)
            .at_most(u64::from(Self::MAX), report);
    }
}

impl Default for Agents {
    fn default() -> Self {
        Self::STANDARD
    }
}
