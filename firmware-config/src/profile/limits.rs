//! When an episode or a subtask ends without the policy saying so.

use serde::{Deserialize, Serialize};

use super::ProfileError;
use super::range::Field;

/// When an episode or a subtask ends without the policy saying so. All are counts of actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Actions in one episode at most; default 50 (method section 4). The episode ends after that many.
    pub actions_per_episode: u32,
    /// Actions in one subtask at most; default 40. After that many the high-level policy is asked again. The published
    /// method has no such cap, and a policy that never says `True` would then spend the whole episode in one subtask;
    /// 40 leave a search room and a few actions after it. A cap above `actions_per_episode` never acts.
    pub actions_per_subtask: u32,
    /// Steps in a row that repeat the same action and get the same observation before the loop rule acts; default 3
    /// (method section 12.7). 0 switches the rule off.
    pub repeats: u16,
}

impl Limits {
    /// The limits of the standard profile.
    pub const STANDARD: Self = Self {
        actions_per_episode: 50,
        actions_per_subtask: 40,
        repeats: 3,
    };

    /// Actions or repeats at most, for any of the limits.
    pub const MAX: u32 = 10_000;

    /// Whether the loop rule acts after `repeats` repeated steps in a row ([`crate::state::AgentState::repeats`]).
    #[must_use]
    pub const fn is_loop(&self, repeats: u16) -> bool {
        self.repeats > 0 && repeats >= self.repeats
    }

    pub(super) fn problems(&self, report: &mut dyn FnMut(ProfileError)) {
        let max = u64::from(Self::MAX);
        for (path, actions) in [
            ("limits.actions_per_episode", self.actions_per_episode),
            ("limits.actions_per_subtask", self.actions_per_subtask),
        ] {
            Field::new(path, u64::from(actions))
                .at_least(1, "an agent must be allowed to act", report)
                .at_most(max, report);
        }
        Field::new("limits.repeats", u64::from(self.repeats)).at_most(max, report);
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::STANDARD
    }
}
