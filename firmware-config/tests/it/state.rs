//! The agent state: its size, and the list of issued subtasks.

use std::collections::VecDeque;

use proptest::collection::vec;
use proptest::prelude::*;
use stride_firmware_config::capacity;
use stride_firmware_config::state::{AgentState, Completed, Phase};
use stride_firmware_config::text::{BoundedText, Overflow};

use crate::arbitrary::text;

proptest! {
    #[test]
    fn the_list_keeps_the_newest_and_counts_the_rest(pushes in vec((prop_oneof![text(), "[ab]"], 0_usize..12), 0..30)) {
        let mut completed = Completed::new();
        let mut model = VecDeque::new();
        let mut dropped = 0;
        for (subtask, limit) in &pushes {
            completed.push(subtask, *limit);
            let limit = (*limit).clamp(1, capacity::COMPLETED);
            let mut cut = BoundedText::<{ capacity::SUBTASK }>::new();
            prop_assert!(cut.set(subtask, Overflow::Cut).is_ok());
            if model.back().map(String::as_str) == Some(cut.as_str()) {
                dropped += 1;
            } else {
                while model.len() >= limit {
                    model.pop_front();
                    dropped += 1;
                }
                model.push_back(cut.to_string());
                prop_assert!(completed.len() <= limit);
            }
            prop_assert!(completed.iter().eq(&model));
            prop_assert_eq!(completed.last(), model.back().map(String::as_str));
            prop_assert_eq!(completed.dropped(), dropped);
        }
        prop_assert_eq!(completed.issued() as usize, pushes.len());
        completed.clear();
        prop_assert_eq!(completed, Completed::new());
    }
}

#[test]
fn a_repeated_subtask_pushes_nothing_out() {
    let mut completed = Completed::new();
    for subtask in [
        "go to the kitchen",
        "find ice",
        "find ice",
        "find ice",
        "take ice",
        "find ice",
    ] {
        completed.push(subtask, 4);
    }
    let kept: Vec<&str> = completed.iter().collect();
    assert_eq!(
        kept,
        ["go to the kitchen", "find ice", "take ice", "find ice"]
    );
    assert_eq!((completed.dropped(), completed.issued()), (2, 6));
}

#[test]
fn a_new_state_waits_for_a_subtask() {
    let state = AgentState::default();
    assert_eq!(state.phase, Phase::NeedsSubtask);
    assert!(state.completed.is_empty());
    assert_eq!(state.steps, 0);
}

#[test]
fn the_standard_state_fits_four_kibibytes() {
    assert_eq!(capacity::STATE, 4096);
    let size = size_of::<AgentState>();
    assert!(size <= capacity::STATE, "{size} bytes");
}
