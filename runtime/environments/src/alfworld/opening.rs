//! Taking the first text of an episode apart: what is seen, what stands around, what is to be done.

use stride_agent::environment::Opening;
use stride_agent::places::{Name, NameList, NotAName};

const TASK: &str = "Your task is to:";
const LISTED: &str = "you see ";

/// Why a first text could not be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// There is no task in it.
    #[error("the first text has no line `{TASK} ...`: {text:?}")]
    NoTask {
        /// The text.
        text: String,
    },
    /// There is no list of what stands around.
    #[error("the first text has no list after `{LISTED}`: {text:?}")]
    NoScene {
        /// The text.
        text: String,
    },
    /// An item of the list is no numbered name.
    #[error("the first text lists something without a number")]
    Name(#[from] NotAName),
}

/// Takes a first text apart: the task without its full stop, the scene as ascending ranges by kind
/// (`bed 1 to 2, desk 1`), and the sentence before the list.
///
/// # Errors
/// When the text has no task or no list, or lists something without a number.
pub fn read_opening(text: &str) -> Result<Opening, OpeningError> {
    let no_task = || OpeningError::NoTask {
        text: text.to_owned(),
    };
    let no_scene = || OpeningError::NoScene {
        text: text.to_owned(),
    };
    let (before, task) = text.rsplit_once(TASK).ok_or_else(no_task)?;
    let paragraph = before
        .split("\n\n")
        .find(|paragraph| paragraph.contains(LISTED))
        .ok_or_else(no_scene)?;
    let (sentences, listed) = paragraph.rsplit_once(LISTED).ok_or_else(no_scene)?;
    let mut scene = NameList::default();
    for name in listed_names(listed) {
        let name: Name = name.parse()?;
        scene.insert(&name.kind, name.number);
    }
    let observation = sentences.split_once(". ").map_or("", |(first, _)| first);
    Ok(Opening {
        task: collapsed(task.trim().trim_end_matches('.')),
        scene: scene.to_string(),
        observation: if observation.is_empty() {
            String::new()
        } else {
            collapsed(observation) + "."
        },
    })
}

/// The items of `a bed 2, a bed 1, and a desk 1.`; none for `nothing.`
fn listed_names(list: &str) -> impl Iterator<Item = &str> {
    let list = list.trim().trim_end_matches('.');
    let items = list.split(',').map(|item| {
        let item = item.trim();
        let item = item.strip_prefix("and ").unwrap_or(item);
        item.strip_prefix("a ").unwrap_or(item)
    });
    items.filter(|item| !item.is_empty() && *item != "nothing")
}

/// A text on one line: white space at the ends goes, and between words it becomes one space.
#[must_use]
pub fn collapsed(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !result.is_empty() {
            result.push(' ');
        }
        result.push_str(word);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alfworld_opening_is_taken_apart() {
        let text = "-= Welcome to TextWorld, ALFRED! =-\n\nYou are in the middle of a room. Looking quickly around \
                    you, you see a bed 2, a bed 1, a desk 1, a shelf 5, a shelf 3, a shelf 2, and a shelf 1.\n\n\
                    Your task is to: look at alarmclock under the desklamp.";
        let opening = read_opening(text).unwrap();
        assert_eq!(opening.task, "look at alarmclock under the desklamp");
        assert_eq!(opening.scene, "bed 1 to 2, desk 1, shelf 1 to 3, shelf 5");
        assert_eq!(opening.observation, "You are in the middle of a room.");
    }

    #[test]
    fn texts_without_task_or_scene_are_refused() {
        assert!(matches!(
            read_opening("Hello."),
            Err(OpeningError::NoTask { .. })
        ));
        let no_scene = read_opening("Hello.\n\nYour task is to: wait.");
        assert!(matches!(no_scene, Err(OpeningError::NoScene { .. })));
        let no_number =
            read_opening("You are here. Around you, you see a bed.\n\nYour task is to: wait.");
        assert!(matches!(no_number, Err(OpeningError::Name(_))));
    }

    #[test]
    fn an_empty_room_has_an_empty_scene() {
        let opening =
            read_opening("You are here. Around you, you see nothing.\n\nYour task is to: wait.")
                .unwrap();
        assert_eq!(opening.scene, "");
    }
}
