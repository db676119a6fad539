//! Kinds of subtasks: what the low level does in them and what the progress says (method section 8).

use std::fmt;

use stride_agent::utterance::format_low;
use stride_environments::scienceworld::HARMLESS_ACTION;
use stride_environments::scienceworld::view::{View, budget};

pub mod circuit;
pub mod drop;
pub mod dunk;
pub mod focus;
pub mod garden;
pub mod go;
pub mod measure;
pub mod mix;
pub mod names;
pub mod plant;
pub mod put;
pub mod recipe;
pub mod search;
pub mod soil;
pub mod stage;
pub mod take;
pub mod treat;
pub mod vessel;

/// An action and its flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The command.
    pub command: String,
    /// It finishes the subtask.
    pub finished: bool,
}

impl Action {
    /// An action after which the subtask goes on.
    pub fn go_on(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            finished: false,
        }
    }

    /// The action that finishes the subtask.
    pub fn finish(command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            finished: true,
        }
    }

    /// Hands back to the planner: nothing more can be done here. Looking around costs no time in the simulator.
    #[must_use]
    pub fn give_back() -> Self {
        Self::finish(HARMLESS_ACTION)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_low(&self.command, self.finished))
    }
}

/// A kind of subtask, with its names filled in.
pub trait Skill {
    /// The next action: a function of the subtask, the view and the local progress (`None` at the start of the subtask).
    fn act(&self, view: &View, progress: &str) -> Action;

    /// The local progress after an action; `view` is what the action led to. By default what the world said (mode E).
    fn rewrite(&self, view: &View, progress: &str, action: &str) -> String {
        let _ = (progress, action);
        said(view)
    }
}

/// The agent closes a subtask after three equal steps (method section 12.7), so a skill that waits finishes with its third wait;
/// the planner issues it again.
const PATIENCE: usize = 3;

/// The words with which a progress counts waits.
const TIMES: [&str; PATIENCE] = ["once", "twice", "three times"];

/// What stands before them, whether it opens the sentence or not.
const WAITED: &str = "aited ";

/// How often the skill has waited, as its progress says.
fn waits(progress: &str) -> usize {
    TIMES
        .iter()
        .position(|times| progress.contains(&format!("{WAITED}{times}")))
        .map_or(0, |at| at + 1)
}

/// The words for one wait more.
fn one_wait_more(progress: &str) -> &'static str {
    TIMES[waits(progress).min(PATIENCE - 1)]
}

/// One wait more: the last one finishes the subtask.
fn wait(command: &str, progress: &str) -> Action {
    if waits(progress) + 1 < PATIENCE {
        Action::go_on(command)
    } else {
        Action::finish(command)
    }
}

/// The list behind a progress's sentence, `SENTENCE || [LABEL: LIST]`: what the skill must remember.
fn noted<'a>(progress: &'a str, label: &str) -> Option<&'a str> {
    let (_, tail) = progress.split_once(&format!("[{label}: "))?;
    tail.strip_suffix(']')
}

/// A progress of a sentence and a list; of the sentence alone when the list is empty.
fn with_note(sentence: &str, label: &str, list: &str) -> String {
    if list.is_empty() {
        sentence.to_owned()
    } else {
        format!("{sentence} || [{label}: {list}]")
    }
}

/// What the simulator says when an action could mean several things; a number chooses.
pub const AMBIGUOUS: &str = "Ambiguous request";

/// Bytes of the feedback that a progress repeats.
const SAID: usize = 120;

/// What the world said, as a progress: the first sentence of the feedback.
#[must_use]
pub fn said(view: &View) -> String {
    if view.feedback.starts_with(AMBIGUOUS) {
        // The question itself is long, and in sight.
        return format!("{AMBIGUOUS}.");
    }
    let sentence = match view.feedback.split_once(". ") {
        Some((first, _)) => format!("{first}."),
        None => view.feedback.clone(),
    };
    let mut sentence = if sentence.is_empty() {
        format!("In the {}.", view.room)
    } else {
        sentence
    };
    budget::cut(&mut sentence, SAID);
    sentence
}

/// Reads a subtask sentence.
#[must_use]
pub fn read(subtask: &str) -> Option<Box<dyn Skill>> {
    fn boxed<S: Skill + 'static>(skill: S) -> Box<dyn Skill> {
        Box::new(skill)
    }
    None.or_else(|| go::read(subtask).map(boxed))
        .or_else(|| focus::read(subtask).map(boxed))
        .or_else(|| take::read(subtask).map(boxed))
        .or_else(|| put::read(subtask).map(boxed))
        .or_else(|| circuit::read(subtask).map(boxed))
        .or_else(|| mix::read(subtask).map(boxed))
        .or_else(|| recipe::read(subtask).map(boxed))
        .or_else(|| drop::read(subtask).map(boxed))
        .or_else(|| dunk::read(subtask).map(boxed))
        .or_else(|| measure::read(subtask).map(boxed))
        .or_else(|| search::read(subtask).map(boxed))
        .or_else(|| treat::read(subtask).map(boxed))
        .or_else(|| garden::read(subtask).map(boxed))
        .or_else(|| plant::read(subtask).map(boxed))
        .or_else(|| soil::read(subtask).map(boxed))
        .or_else(|| stage::read(subtask).map(boxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_wait_gives_back() {
        let mut progress = "None".to_owned();
        let flags: Vec<bool> = (0..PATIENCE + 1)
            .map(|_| {
                let action = wait("wait1", &progress);
                progress = format!("Waited {}; no frog yet.", one_wait_more(&progress));
                action.finished
            })
            .collect();
        assert_eq!(flags, [false, false, true, true]);
        assert_eq!(progress, "Waited three times; no frog yet.");
    }

    #[test]
    fn lists_are_read_back() {
        let progress = with_note("No ice yet.", "Checked", "fridge, freezer");
        assert_eq!(progress, "No ice yet. || [Checked: fridge, freezer]");
        assert_eq!(noted(&progress, "Checked"), Some("fridge, freezer"));
        assert_eq!(noted(&progress, "Route"), None);
        assert_eq!(noted("[Checked: fridge", "Checked"), None, "not closed");
        assert_eq!(with_note("No ice yet.", "Checked", ""), "No ice yet.");
    }

    #[test]
    fn a_progress_repeats_one_short_sentence() {
        let view = |feedback: &str| View {
            feedback: feedback.to_owned(),
            room: "kitchen".to_owned(),
            ..View::default()
        };
        assert_eq!(said(&view("")), "In the kitchen.");
        assert_eq!(said(&view("You wait. Nothing happens.")), "You wait.");
        let long = said(&view(&"\u{e9}".repeat(SAID)));
        assert_eq!(long, "\u{e9}".repeat(SAID / 2));
    }
}
