//! The low-level decision: which action comes next, and whether it finishes the subtask.

use std::fmt;

use stride_agent::places::{Name, NameList};
use stride_agent::utterance::format_low;

use super::progress::{self, LocalProgress, Note};
use super::search::SearchOrder;
use super::subtask::{self, Subtask};

/// An action and its flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The command.
    pub command: String,
    /// It finishes the subtask.
    pub finished: bool,
}

impl Action {
    fn go_on(command: String) -> Self {
        Self {
            command,
            finished: false,
        }
    }

    fn finish(command: String) -> Self {
        Self {
            command,
            finished: true,
        }
    }

    /// Hands back to the planner: nothing more can be done here.
    fn give_back() -> Self {
        Self::finish("look".to_owned())
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format_low(&self.command, self.finished))
    }
}

/// The next action (the expert's π^l).
#[must_use]
pub fn next_action(
    order: &SearchOrder,
    scene: &str,
    observation: &str,
    subtask: &str,
    progress: &str,
) -> Action {
    let Some(subtask_read) = subtask::read(subtask) else {
        return Action::give_back();
    };
    let places: NameList = scene.parse().unwrap_or_default();
    // At the start of a subtask the observation is all there is.
    let progress = match progress::read(progress) {
        p if p == LocalProgress::unknown() => {
            progress::rewrite(scene, observation, subtask, "None", "")
        }
        p => p,
    };
    match &subtask_read {
        Subtask::Take { .. } | Subtask::Use { .. } => {
            search(order, &places, &subtask_read, &progress)
        }
        Subtask::Treat { treatment, object } => {
            let Some(station) = first_of(&places, treatment.station()) else {
                return Action::give_back();
            };
            let command = format!("{} {object} with {station}", treatment.verb());
            apply(&progress, object, &station, false, command)
        }
        Subtask::Put { object, place } => {
            let Some(place) = first_of(&places, place) else {
                return Action::give_back();
            };
            let command = format!("move {object} to {place}");
            apply(&progress, object, &place, true, command)
        }
    }
}

fn first_of(places: &NameList, kind: &str) -> Option<Name> {
    places.numbers(kind).first().map(|&number| Name {
        kind: kind.to_owned(),
        number,
    })
}

fn search(
    order: &SearchOrder,
    places: &NameList,
    subtask: &Subtask,
    progress: &LocalProgress,
) -> Action {
    let next = || {
        let kind = subtask.target().map_or("", |(kind, _)| kind);
        match order.next_place(kind, places, &progress.checked) {
            Some(place) => Action::go_on(format!("go to {place}")),
            None => Action::give_back(),
        }
    };
    let Some(at) = &progress.at else {
        return next();
    };
    match &progress.note {
        Note::Here(name) => match subtask {
            Subtask::Use { .. } => Action::finish(format!("use {name}")),
            _ => Action::finish(format!("take {name} from {at}")),
        },
        Note::Closed => Action::go_on(format!("open {at}")),
        Note::Holding(name) if subtask.wants(name) => Action::give_back(),
        Note::Holding(name) if matches!(subtask, Subtask::Take { .. }) => {
            Action::go_on(format!("move {name} to {at}"))
        }
        Note::Failed(verb) => match verb.as_str() {
            "examine" => Action::go_on(format!("go to {at}")),
            "take" => Action::go_on("inventory".to_owned()),
            _ => Action::go_on(format!("examine {at}")),
        },
        Note::HandsEmpty | Note::Placed(_) if !progress.checked.contains(&at.kind, at.number) => {
            Action::go_on(format!("examine {at}"))
        }
        _ => next(),
    }
}

/// Does something with the held object at a place: goes there, opens it if it must be open, then acts.
fn apply(
    progress: &LocalProgress,
    object: &Name,
    place: &Name,
    must_be_open: bool,
    command: String,
) -> Action {
    match &progress.note {
        Note::HandsEmpty => return Action::give_back(),
        Note::Holding(other) | Note::Placed(other) if other != object => {
            return Action::give_back();
        }
        _ => {}
    }
    if progress.at.as_ref() != Some(place) {
        return Action::go_on(format!("go to {place}"));
    }
    match &progress.note {
        Note::Closed if must_be_open => Action::go_on(format!("open {place}")),
        Note::Failed(verb) => match verb.as_str() {
            "examine" => Action::go_on(format!("go to {place}")),
            "go" | "open" | "close" | "look" | "inventory" | "action" => {
                Action::go_on(format!("examine {place}"))
            }
            _ => Action::go_on("inventory".to_owned()),
        },
        Note::Holding(_) if must_be_open => Action::go_on(format!("examine {place}")),
        Note::Placed(_) => Action::give_back(),
        Note::Treated(..) if !must_be_open => Action::give_back(),
        _ => Action::finish(command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENE: &str = "cabinet 1 to 3, desk 1, fridge 1, sinkbasin 1";

    fn act(subtask: &str, progress: &str) -> String {
        let order = SearchOrder::from_pairs(&[("mug", &["desk", "cabinet"])]);
        next_action(
            &order,
            SCENE,
            "You are in the middle of a room.",
            subtask,
            progress,
        )
        .to_string()
    }

    #[test]
    fn searches_in_order_and_takes() {
        let find = "find and take mug";
        assert_eq!(act(find, "None"), "go to desk 1; False");
        assert_eq!(
            act(find, "At desk 1, no mug. || [Checked: desk 1]"),
            "go to cabinet 1; False"
        );
        assert_eq!(
            act(find, "At cabinet 1, it is closed. || [Checked: desk 1]"),
            "open cabinet 1; False"
        );
        assert_eq!(
            act(find, "At cabinet 1, mug 3 is here. || [Checked: desk 1]"),
            "take mug 3 from cabinet 1; True"
        );
        assert_eq!(
            act(
                find,
                "At cabinet 2, no mug. || [Checked: desk 1, cabinet 1 to 2]"
            ),
            "go to cabinet 3; False"
        );
    }

    #[test]
    fn takes_over_after_failures() {
        let put = "put mug 1 in cabinet";
        assert_eq!(
            act(put, "At cabinet 1, go failed."),
            "examine cabinet 1; False"
        );
        assert_eq!(act(put, "At cabinet 1, move failed."), "inventory; False");
        assert_eq!(act(put, "At cabinet 1, hands empty."), "look; True");
        assert_eq!(
            act(put, "At cabinet 1, it is closed."),
            "open cabinet 1; False"
        );
        assert_eq!(
            act(put, "At cabinet 1, ready."),
            "move mug 1 to cabinet 1; True"
        );
        assert_eq!(
            act("find and take mug", "At desk 1, holding pen 1."),
            "move pen 1 to desk 1; False"
        );
    }
}
