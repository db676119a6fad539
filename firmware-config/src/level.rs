//! The three policy levels of STEP-HRL (method section 2).

use core::fmt;

use serde::{Deserialize, Serialize};

/// Which of the three policies speaks. All three share one backbone; the frame alone selects the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyLevel {
    /// π^h: names the next subtask, once per subtask.
    High,
    /// π^l: names the next action and says whether it finishes the subtask, once per step.
    Low,
    /// π^p: rewrites the local progress, once per step, after acting.
    Progress,
}

impl PolicyLevel {
    /// All levels, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::High, Self::Low, Self::Progress];

    /// The level's name, as written in transition files and metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Low => "low",
            Self::Progress => "progress",
        }
    }
}

impl fmt::Display for PolicyLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
