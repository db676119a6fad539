//! How long texts may be on one board.

use serde::{Deserialize, Serialize};

use super::ProfileError;
use super::range::Field;
use crate::capacity;
use crate::level::PolicyLevel;
use crate::text::CUT_MARK;

/// How long texts may be on one board, in bytes of UTF-8, in items and in tokens.
///
/// A text that is longer is cut with [`CUT_MARK`] (see [`crate::text`]); the sizes are at most those that the build was
/// compiled for ([`crate::capacity`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capacities {
    /// Bytes of the task instruction; default and maximum [`capacity::TASK`].
    pub task: usize,
    /// Bytes of the static part of an observation; default and maximum [`capacity::SCENE`].
    pub scene: usize,
    /// Bytes of one observation without the scene; default and maximum [`capacity::OBSERVATION`].
    pub observation: usize,
    /// Bytes of one subtask; default and maximum [`capacity::SUBTASK`].
    pub subtask: usize,
    /// Bytes of the local progress; default and maximum [`capacity::PROGRESS`].
    pub progress: usize,
    /// Bytes of one action; default and maximum [`capacity::ACTION`].
    pub action: usize,
    /// Issued subtasks remembered by name, a count; default and maximum [`capacity::COMPLETED`]. Older ones are counted.
    pub completed: usize,
    /// Tokens of one subtask at most; default 32 (method section 2). Longer utterances are ended there.
    pub high_tokens: u32,
    /// Tokens of one action with its flag at most; default 32.
    pub low_tokens: u32,
    /// Tokens of one progress at most; default 150.
    pub progress_tokens: u32,
    /// Tokens of one rendered frame at most; default 832. A longer prompt is an error of the engine, never cut in silence.
    pub prompt_tokens: u32,
}

impl Capacities {
    /// The capacities of the standard profile: all that the build holds, and the method's utterance caps.
    pub const STANDARD: Self = Self {
        task: capacity::TASK,
        scene: capacity::SCENE,
        observation: capacity::OBSERVATION,
        subtask: capacity::SUBTASK,
        progress: capacity::PROGRESS,
        action: capacity::ACTION,
        completed: capacity::COMPLETED,
        high_tokens: 32,
        low_tokens: 32,
        progress_tokens: 150,
        prompt_tokens: 832,
    };

    /// Bytes of the smallest text capacity: room for [`CUT_MARK`] and as much text again, so that a cut always shows.
    pub const MIN_TEXT: usize = 16;

    /// Tokens of an utterance or a prompt at most: what no context of a policy for a device exceeds.
    pub const MAX_TOKENS: u32 = 131_072;

    /// The cap of one utterance of `level`, in tokens.
    #[must_use]
    pub const fn utterance_tokens(&self, level: PolicyLevel) -> u32 {
        match level {
            PolicyLevel::High => self.high_tokens,
            PolicyLevel::Low => self.low_tokens,
            PolicyLevel::Progress => self.progress_tokens,
        }
    }

    /// The largest utterance cap: the dotted path of its field and its tokens.
    pub(super) fn largest_utterance(&self) -> (&'static str, u32) {
        let mut largest = ("capacities.high_tokens", self.high_tokens);
        for other in [
            ("capacities.low_tokens", self.low_tokens),
            ("capacities.progress_tokens", self.progress_tokens),
        ] {
            if other.1 > largest.1 {
                largest = other;
            }
        }
        largest
    }

    pub(super) fn problems(&self, report: &mut dyn FnMut(ProfileError)) {
        let texts = [
            ("capacities.task", self.task, capacity::TASK, "TASK"),
            ("capacities.scene", self.scene, capacity::SCENE, "SCENE"),
            (
                "capacities.observation",
                self.observation,
                capacity::OBSERVATION,
                "OBSERVATION",
            ),
            (
                "capacities.subtask",
                self.subtask,
                capacity::SUBTASK,
                "SUBTASK",
            ),
            (
                "capacities.progress",
                self.progress,
                capacity::PROGRESS,
                "PROGRESS",
            ),
            ("capacities.action", self.action, capacity::ACTION, "ACTION"),
        ];
        for (path, bytes, max, constant) in texts {
            Field::size(path, bytes)
                .at_least(
                    Self::MIN_TEXT as u64,
                    "a cut text needs room for its mark",
                    report,
                )
                .within_build(max, constant, report);
        }
        Field::size("capacities.completed", self.completed)
            .at_least(1, "the high level must know the last subtask", report)
            .within_build(capacity::COMPLETED, "COMPLETED", report);
        let tokens = [
            ("capacities.high_tokens", self.high_tokens),
            ("capacities.low_tokens", self.low_tokens),
            ("capacities.progress_tokens", self.progress_tokens),
            ("capacities.prompt_tokens", self.prompt_tokens),
        ];
        for (path, count) in tokens {
            Field::new(path, u64::from(count))
                .at_least(1, "nothing can be said in no token", report)
                .at_most(u64::from(Self::MAX_TOKENS), report);
        }
    }
}

const _: () = assert!(
    Capacities::MIN_TEXT > 2 * CUT_MARK.len(),
    "the smallest capacity must show a cut"
);

impl Default for Capacities {
    fn default() -> Self {
        Self::STANDARD
    }
}
