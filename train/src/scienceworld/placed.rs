//! Drills in which the substance of a task is any word, and anywhere: on something, in a vessel, in hand, twice.
//!
//! In the demonstrations a substance has its place and its vessel. A policy that learnt from these alone finds what it does not know
//! and overlooks what it knows where it never stood; and of two things of one name it has seen few. Here the words that the
//! demonstrations know ([`super::moved`]) are boiled, melted and frozen. A frame of the high level comes with those of the levels
//! below that follow from what the expert says to it.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use stride_agent::transition::FrameText;
use stride_environments::scienceworld::HARMLESS_ACTION;
use stride_environments::scienceworld::view::{Thing, View};

use super::skill::{focus, search};
use super::{Expert, lost};

/// What stands in the house to carry things in.
const VESSELS: [&str; 9] = [
    "metal pot",
    "glass cup",
    "wood cup",
    "tin cup",
    "ceramic cup",
    "plastic cup",
    "paper cup",
    "jug",
    "glass jar",
];

/// Share of the frames with a second thing of the name.
const TWICE: f64 = 0.25;

/// A frame of the high level about `new`, in this room, and what follows from it; `None` when it is about no substance.
pub(super) fn frames(
    asked: &FrameText,
    mut view: View,
    new: &str,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<FrameText>> {
    let FrameText::High { task, .. } = asked else {
        return None;
    };
    let old = lost::substance(task)?;
    let FrameText::High {
        scene,
        observation,
        task,
        completed,
        progress,
    } = asked.edited(&mut |text| text.replace(&old, new))
    else {
        return None;
    };
    if rng.random_bool(0.5) {
        view.holding = View::read(&observation).holding;
        view.holding.retain(|thing| thing.contents.is_none());
    }
    view.feedback.clear();
    let vessel = place(&mut view, new, rng);
    if rng.random_bool(TWICE) {
        lost::put_in_sight(&mut view, new, rng);
    }
    let progress = match (rng.random_range(0..4), vessel) {
        (0, _) => progress,
        (1, Some(vessel)) => format!("The {new} is in the {vessel}."),
        (1 | 2, _) => format!("You focus on the {new}."),
        _ => format!("In the {}.", view.room),
    };
    let observation = view.to_string();
    let high = FrameText::High {
        scene,
        observation: observation.clone(),
        task,
        completed,
        progress,
    };
    let subtask = Expert.answer(&high.as_frame()).ok()?;
    let low = |subtask: &str| FrameText::Low {
        scene: String::new(),
        observation: observation.clone(),
        subtask: subtask.to_owned(),
        progress: String::new(),
    };
    let mut frames = vec![high, low(&subtask)];
    // A search that comes upon it, whether it was asked for or not.
    let search = search::sentence(new);
    if search != subtask {
        frames.push(low(&search));
    }
    frames.push(FrameText::Progress {
        scene: String::new(),
        observation: observation.clone(),
        subtask: search,
        progress: String::new(),
        action: HARMLESS_ACTION.to_owned(),
    });
    Some(frames)
}

/// Puts the substance somewhere, or nowhere; gives the vessel that it is in.
fn place(view: &mut View, name: &str, rng: &mut ChaCha8Rng) -> Option<&'static str> {
    let vessel = VESSELS.choose(rng).copied()?;
    let state = match rng.random_range(0..10) {
        0..2 => "liquid ",
        2 => "solid ",
        _ => "",
    };
    let mut holding = Thing {
        name: vessel.to_owned(),
        contents: Some(vec![plain(&format!("{state}{name}"))]),
        ..Thing::default()
    };
    match rng.random_range(0..10) {
        0 => None,
        1..5 => {
            lost::put_in_sight(view, name, rng);
            // An empty pot in hand is what it goes into.
            if rng.random_bool(0.4) {
                holding.contents = Some(Vec::new());
                view.holding.push(holding);
            }
            None
        }
        5..7 => {
            view.holding.push(holding);
            Some(vessel)
        }
        _ => {
            lost::put(view, holding, rng);
            Some(vessel)
        }
    }
}

fn plain(name: &str) -> Thing {
    Thing {
        name: name.to_owned(),
        ..Thing::default()
    }
}

/// What the simulator asks when an action could mean several things, and frames behind the answer.
pub(super) fn questions(mut view: View, name: &str, rng: &mut ChaCha8Rng) -> Vec<FrameText> {
    let vessel = VESSELS.choose(rng).copied().unwrap_or_default();
    let room = view.room.clone();
    let (subtask, action, done) = match rng.random_range(0..4) {
        0 => (
            search::sentence(name),
            format!("pick up {name}"),
            format!("You move the {name} to the inventory."),
        ),
        1 => (
            format!("pick up {name}"),
            format!("pick up {name}"),
            format!("You move the {name} to the inventory."),
        ),
        2 => (
            format!("move {name} to {vessel}"),
            format!("move {name} to {vessel}"),
            format!("You move the {name} to the {vessel}."),
        ),
        _ => (
            focus::sentence(name),
            focus::sentence(name),
            format!("You focus on the {name}."),
        ),
    };
    lost::put_in_sight(&mut view, name, rng);
    lost::put_in_sight(&mut view, name, rng);
    view.feedback = format!(
        "Ambiguous request: Please enter the number for the action you intended (or blank to cancel): 0: {action} (in inventory, \
            in agent, in {room}) 1: {action} (in {vessel}, in {room})"
    );
    let asked = view.to_string();
    view.feedback = done;
    let answered = view.to_string();
    let low = |observation: &str, progress: &str| FrameText::Low {
        scene: String::new(),
        observation: observation.to_owned(),
        subtask: subtask.clone(),
        progress: progress.to_owned(),
    };
    let update = |observation: &str, progress: &str, action: &str| FrameText::Progress {
        scene: String::new(),
        observation: observation.to_owned(),
        subtask: subtask.clone(),
        progress: progress.to_owned(),
        action: action.to_owned(),
    };
    let question = update(&asked, "", &action);
    let Ok(then) = Expert.answer(&question.as_frame()) else {
        return Vec::new();
    };
    let behind = update(&answered, &then, "0");
    let Ok(last) = Expert.answer(&behind.as_frame()) else {
        return Vec::new();
    };
    vec![question, low(&asked, &then), behind, low(&answered, &last)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;
    use stride_firmware_config::state::Completed;

    use super::*;

    const KITCHEN: &str = "kitchen: freezer open [glass cup [salt]]; table [bowl [banana]] | doors: hallway open | holding: orange";

    fn answer(frame: &FrameText) -> String {
        Expert.answer(&frame.as_frame()).unwrap()
    }

    #[test]
    fn a_substance_lies_anywhere() {
        let asked = FrameText::High {
            scene: String::new(),
            observation: KITCHEN.into(),
            task: "boil chocolate. First, focus on the substance.".into(),
            completed: Box::new(Completed::new()),
            progress: String::new(),
        };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut said = BTreeSet::new();
        for _ in 0..200 {
            for frame in frames(&asked, View::read(KITCHEN), "rubber", &mut rng).unwrap() {
                said.insert(answer(&frame));
            }
        }
        for expected in [
            "find and take rubber",
            "pick up jug",
            "focus on rubber in tin cup",
            "pick up rubber in table; True",
            "The rubber is in the jug.",
        ] {
            assert!(said.contains(expected), "`{expected}` is not in {said:?}");
        }
    }

    #[test]
    fn a_question_is_answered_and_what_follows_is_read() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut followed = BTreeSet::new();
        for _ in 0..50 {
            let frames = questions(View::read(KITCHEN), "soap", &mut rng);
            assert_eq!(answer(&frames[1]), "0; False");
            followed.insert(answer(&frames[2]));
            assert!(answer(&frames[3]).ends_with("; True"), "{frames:?}");
        }
        assert!(followed.contains("You focus on the soap."), "{followed:?}");
    }
}
