//! The prompt layout, version 1, to the byte. A change here is a new layout version: policies trained before it stop working.

use proptest::prelude::*;
use stride_firmware_config::frame::{LAYOUT_VERSION, Marker, NO_PROGRESS, StepFrame};
use stride_firmware_config::level::PolicyLevel;
use stride_firmware_config::state::Completed;

use crate::arbitrary::{completed, text};

const SCENE: &str = "You see a desk 1, and a drawer 1.";
const OBSERVATION: &str = "The drawer 1 is open. In it, you see a mug 1.";

fn issued(subtasks: &[&str], limit: usize) -> Completed {
    let mut completed = Completed::new();
    for subtask in subtasks {
        completed.push(subtask, limit);
    }
    completed
}

fn high<'a>(completed: &'a Completed, progress: &'a str) -> StepFrame<'a> {
    StepFrame::High {
        scene: SCENE,
        observation: OBSERVATION,
        task: "put a mug in desk.",
        completed,
        progress,
    }
}

#[test]
fn the_version_is_one() {
    assert_eq!(LAYOUT_VERSION, 1);
}

#[test]
fn high_level_frame() {
    let completed = issued(&["find a mug", "take the mug"], 8);
    assert_eq!(
        high(&completed, "Holding mug 1.").to_string(),
        "<|begin|><|scene|> You see a desk 1, and a drawer 1.\
         <|observation|> The drawer 1 is open. In it, you see a mug 1.\
         <|task|> put a mug in desk.<|completed|> find a mug<|completed|> take the mug\
         <|progress|> Holding mug 1.<|high|>"
    );
}

#[test]
fn high_level_frame_says_what_was_dropped() {
    let completed = issued(&["a", "b", "c", "d"], 2);
    assert_eq!(
        high(&completed, "").to_string(),
        "<|begin|><|scene|> You see a desk 1, and a drawer 1.\
         <|observation|> The drawer 1 is open. In it, you see a mug 1.\
         <|task|> put a mug in desk.<|completed|> 2 earlier<|completed|> c<|completed|> d\
         <|progress|> None<|high|>"
    );
}

#[test]
fn what_a_policy_does_not_read_by_name_is_counted() {
    let text = |completed: &Completed, readable| {
        let mut text = String::new();
        high(completed, "").segments_within(readable, |segment| text += &segment.to_string());
        let issued = text.split("<|task|> put a mug in desk.").nth(1).unwrap();
        issued.split("<|progress|>").next().unwrap().to_owned()
    };
    let all = issued(&["a", "b", "c", "d"], 8);
    assert_eq!(
        text(&all, 2),
        "<|completed|> 2 earlier<|completed|> c<|completed|> d"
    );
    // As if no more had been remembered.
    assert_eq!(text(&all, 2), text(&issued(&["a", "b", "c", "d"], 2), 8));
    let dropped = issued(&["a", "b", "c", "d"], 3);
    assert_eq!(
        text(&dropped, 2),
        "<|completed|> 2 earlier<|completed|> c<|completed|> d"
    );
    assert_eq!(text(&all, 4), text(&all, 8));
    assert!(!text(&all, 4).contains("earlier"));
}

#[test]
fn low_level_frame() {
    let frame = StepFrame::Low {
        scene: SCENE,
        observation: OBSERVATION,
        subtask: "take the mug",
        progress: "",
    };
    assert_eq!(
        frame.to_string(),
        "<|begin|><|scene|> You see a desk 1, and a drawer 1.\
         <|observation|> The drawer 1 is open. In it, you see a mug 1.\
         <|subtask|> take the mug<|progress|> None<|low|>"
    );
}

#[test]
fn progress_frame() {
    let frame = StepFrame::Progress {
        scene: "",
        observation: OBSERVATION,
        subtask: "find a mug",
        progress: "Checked: desk 1.",
        action: "open drawer 1",
    };
    assert_eq!(
        frame.to_string(),
        "<|begin|><|scene|><|observation|> The drawer 1 is open. In it, you see a mug 1.\
         <|subtask|> find a mug<|progress|> Checked: desk 1.<|action|> open drawer 1<|update|>"
    );
}

#[test]
fn the_drop_note_fits_for_any_count() {
    let most: Completed =
        postcard::from_bytes(&[0, 0xff, 0xff, 0xff, 0xff, 0x0f]).expect("the largest count");
    assert!(
        high(&most, "")
            .to_string()
            .contains("<|completed|> 4294967295 earlier<|progress|>")
    );
}

#[test]
fn markers_are_distinct_and_keep_their_order() {
    let tokens: Vec<_> = Marker::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        tokens.join(" "),
        "<|begin|> <|end|> <|scene|> <|observation|> <|task|> <|completed|> <|subtask|> \
         <|progress|> <|action|> <|high|> <|low|> <|update|>"
    );
}

/// The markers that a frame of `level` has, in their order, with `subtasks` segments of issued subtasks.
fn expected(level: PolicyLevel, subtasks: usize) -> Vec<Marker> {
    let mut markers = vec![Marker::Begin, Marker::Scene, Marker::Observation];
    match level {
        PolicyLevel::High => {
            markers.push(Marker::Task);
            markers.extend(std::iter::repeat_n(Marker::Completed, subtasks));
            markers.extend([Marker::Progress, Marker::High]);
        }
        PolicyLevel::Low => markers.extend([Marker::Subtask, Marker::Progress, Marker::Low]),
        PolicyLevel::Progress => markers.extend([
            Marker::Subtask,
            Marker::Progress,
            Marker::Action,
            Marker::Update,
        ]),
    }
    markers
}

proptest! {
    #[test]
    fn any_text_gives_the_same_order(
        texts in [text(), text(), text(), text(), text()],
        completed in completed(),
    ) {
        let [scene, observation, one, progress, action] = &texts;
        let frames = [
            StepFrame::High { scene, observation, task: one, completed: &completed, progress },
            StepFrame::Low { scene, observation, subtask: one, progress },
            StepFrame::Progress { scene, observation, subtask: one, progress, action },
        ];
        let subtasks = completed.len() + usize::from(completed.dropped() > 0);
        for (frame, level) in frames.iter().zip(PolicyLevel::ALL) {
            prop_assert_eq!(frame.level(), level);
            let mut markers = Vec::new();
            let mut text = String::new();
            frame.segments(|segment| {
                markers.push(segment.marker);
                text += &segment.to_string();
                if segment.marker == Marker::Progress {
                    let expected = if progress.is_empty() { NO_PROGRESS } else { progress };
                    assert_eq!(segment.text, expected);
                }
            });
            prop_assert_eq!(markers, expected(level, subtasks));
            prop_assert_eq!(text, frame.to_string());
        }
    }
}
