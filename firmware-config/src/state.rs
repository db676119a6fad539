//! All that an agent needs between two steps.

use core::fmt;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::capacity;
use crate::text::{BoundedText, Overflow};

/// The issued subtasks `G` (method section 2): the newest are kept by name, older ones and repetitions are counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Completed {
    items: Vec<BoundedText<{ capacity::SUBTASK }>, { capacity::COMPLETED }>,
    dropped: u32,
}

impl Completed {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            items: Vec::new(),
            dropped: 0,
        }
    }

    /// Appends a subtask. When `limit` subtasks (at most the build's capacity) are held, the oldest is dropped and counted.
    /// One that repeats the last is counted and not written again: a policy that is stuck must neither forget what it did
    /// before nor pay for the repetitions in every later prompt.
    /// A `limit` of 0 counts as 1. A subtask longer than [`capacity::SUBTASK`] is cut ([`Overflow::Cut`]).
    pub fn push(&mut self, subtask: &str, limit: usize) {
        let limit = limit.clamp(1, capacity::COMPLETED);
        let mut text = BoundedText::new();
        let kept = text.set(subtask, Overflow::Cut);
        debug_assert!(kept.is_ok(), "cutting never refuses");
        if self.items.last() == Some(&text) {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        while self.items.len() >= limit {
            self.items.remove(0);
            self.dropped = self.dropped.saturating_add(1);
        }
        let pushed = self.items.push(text);
        debug_assert!(pushed.is_ok(), "room was made above");
    }

    /// The remembered subtasks, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.items.iter().map(BoundedText::as_str)
    }

    /// The subtask issued last.
    #[must_use]
    pub fn last(&self) -> Option<&str> {
        self.items.last().map(BoundedText::as_str)
    }

    /// Subtasks remembered by name.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no subtask was issued yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The same list with every remembered subtask edited; what is too long then is cut.
    #[must_use]
    pub fn edited<T: AsRef<str>>(&self, mut edit: impl FnMut(&str) -> T) -> Self {
        let mut edited = Self {
            items: Vec::new(),
            dropped: self.dropped,
        };
        for subtask in self.iter() {
            edited.push(edit(subtask).as_ref(), capacity::COMPLETED);
        }
        edited
    }

    /// Forgets everything, the count too.
    pub fn clear(&mut self) {
        self.items.clear();
        self.dropped = 0;
    }

    /// How many subtasks were issued beside those remembered by name: older ones, and repetitions of the one before.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.dropped
    }

    /// Subtasks ever issued.
    #[must_use]
    pub fn issued(&self) -> u32 {
        self.dropped
            .saturating_add(u32::try_from(self.items.len()).unwrap_or(u32::MAX))
    }
}

/// Where an agent stands between two calls of its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// No subtask is open: the next observation goes to the high-level policy first.
    #[default]
    NeedsSubtask,
    /// A subtask is open and the result of its last action was taken in; the low-level policy acts next.
    HasSubtask,
    /// An action was given out; the next observation is its result.
    Acted,
    /// The episode is over.
    Ended,
}

/// All that an agent needs between two steps: fixed size, no heap, at most [`capacity::STATE`] bytes.
///
/// The observation is not part of it: it arrives with the step. Nothing here grows with the episode.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AgentState {
    /// Task instruction `c`.
    pub task: BoundedText<{ capacity::TASK }>,
    /// Static part of the observation.
    pub scene: BoundedText<{ capacity::SCENE }>,
    /// Current subtask `g_k`; empty before the first.
    pub subtask: BoundedText<{ capacity::SUBTASK }>,
    /// Local progress `p_t`, or `p̂` of the last subtask while none is open. Empty means `None`.
    pub progress: BoundedText<{ capacity::PROGRESS }>,
    /// Issued subtasks.
    pub completed: Completed,
    /// The last action given out.
    pub last_action: BoundedText<{ capacity::ACTION }>,
    /// The flag given out with it: the policy says that this action finishes the subtask.
    pub last_flag: bool,
    /// Where the agent stands.
    pub phase: Phase,
    /// Actions given out in this episode.
    pub steps: u32,
    /// Actions given out in the current subtask.
    pub subtask_steps: u32,
    /// Steps in a row that repeated the same action and got the same observation (by hash).
    pub repeats: u16,
    /// Hash of the last observation, for `repeats`.
    pub observation_hash: u32,
    /// Bytes of task, scene, observations, progress and actions that did not fit their buffers so far.
    pub dropped_bytes: u32,
    /// Utterances that did not parse so far.
    pub malformed: u32,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeedsSubtask => "needs a subtask",
            Self::HasSubtask => "has a subtask",
            Self::Acted => "acted",
            Self::Ended => "ended",
        })
    }
}

const _: () = assert!(
    core::mem::size_of::<AgentState>() <= capacity::STATE,
    "the standard agent state must fit 4 KiB"
);
