//! The step in one call: what is said to a progress frame goes on with the next action, `progress => action; flag`.
//!
//! The frame holds the flag of the action that was done, `go to desk 1; True`: behind one that finishes the subtask the high level
//! is asked next, and no action follows.

use crate::utterance::{format_low, parse_low};

/// Stands between the progress and the action.
const THEN: &str = " => ";

/// The utterance of a step in one call.
#[must_use]
pub fn join(progress: &str, low: &str) -> String {
    format!("{progress}{THEN}{low}")
}

/// The progress, and the action that was said with it.
#[must_use]
pub fn split(utterance: &str) -> (&str, Option<&str>) {
    match utterance.rsplit_once(THEN) {
        Some((progress, low)) => (progress, Some(low)),
        None => (utterance, None),
    }
}

/// An action that was said with the progress, until it is asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead {
    /// The flag that was last said.
    finished: bool,
    subtask: String,
    observation: String,
    low: Option<String>,
}

impl Ahead {
    /// The action of the progress frame: what was done, and the flag that was said with it.
    pub(crate) fn done(&self, action: &str) -> String {
        format_low(action, self.finished)
    }

    /// Keeps what was said to the progress frame of this subtask and observation; gives back the progress.
    pub(crate) fn keep(&mut self, subtask: &str, observation: &str, utterance: &str) -> String {
        let (progress, low) = split(utterance);
        subtask.clone_into(&mut self.subtask);
        observation.clone_into(&mut self.observation);
        self.low = low.map(str::to_owned);
        progress.to_owned()
    }

    /// The action that was said ahead, if it was for this subtask and observation. It is gone then.
    pub(crate) fn take(&mut self, subtask: &str, observation: &str) -> Option<String> {
        self.low
            .take()
            .filter(|_| self.subtask == subtask && self.observation == observation)
    }

    /// A subtask begins: what was said ahead was for the one before, also when both have one name.
    pub(crate) fn forget(&mut self) {
        self.low = None;
    }

    /// Remembers the flag of an action.
    pub(crate) fn said(&mut self, low: &str) {
        self.finished = parse_low(low).is_ok_and(|low| low.finished);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_joined_is_split() {
        let joined = join("Nothing here. || [Checked: desk 1]", "go to desk 2; False");
        assert_eq!(
            split(&joined),
            (
                "Nothing here. || [Checked: desk 1]",
                Some("go to desk 2; False")
            )
        );
        assert_eq!(split("The mug is held."), ("The mug is held.", None));
    }

    #[test]
    fn an_action_is_for_its_subtask_and_observation_and_only_once() {
        let mut ahead = Ahead::default();
        let keep = |ahead: &mut Ahead| ahead.keep("find mug", "a desk", "None. => go; False");
        assert_eq!(keep(&mut ahead), "None.");
        assert_eq!(ahead.take("find mug", "a sink"), None);
        keep(&mut ahead);
        assert_eq!(ahead.take("put mug", "a desk"), None);
        keep(&mut ahead);
        assert_eq!(
            ahead.take("find mug", "a desk").as_deref(),
            Some("go; False")
        );
        assert_eq!(ahead.take("find mug", "a desk"), None);
        ahead.said("go; True");
        assert_eq!(ahead.done("go"), "go; True");
    }
}
