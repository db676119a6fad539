//! Values for the property tests.

use proptest::collection::vec;
use proptest::prelude::*;
use stride_firmware_config::capacity;
use stride_firmware_config::state::{AgentState, Completed, Phase};
use stride_firmware_config::text::{BoundedText, Overflow};

/// Text with multi-byte characters and white space of all kinds, often longer than any buffer here.
pub fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{0,200}",
        "[ \t\n\u{a0}\u{2003}\u{3000}]{0,60}",
        "[é漢🦀ß\u{301} ]{0,300}",
        "\\PC{0,120}",
        vec(any::<char>(), 0..1200).prop_map(String::from_iter),
    ]
}

/// Text that fits `N` bytes, because it was cut.
pub fn bounded<const N: usize>() -> impl Strategy<Value = BoundedText<N>> {
    text().prop_map(|text| {
        let mut bounded = BoundedText::new();
        bounded
            .set(&text, Overflow::Cut)
            .expect("cutting never refuses");
        bounded
    })
}

/// A list of issued subtasks, often one that has dropped some.
pub fn completed() -> impl Strategy<Value = Completed> {
    (vec(text(), 0..20), 0_usize..12).prop_map(|(subtasks, limit)| {
        let mut completed = Completed::new();
        for subtask in &subtasks {
            completed.push(subtask, limit);
        }
        completed
    })
}

/// Any agent state.
pub fn state() -> impl Strategy<Value = AgentState> {
    let phase = prop_oneof![
        Just(Phase::NeedsSubtask),
        Just(Phase::HasSubtask),
        Just(Phase::Acted),
        Just(Phase::Ended)
    ];
    let texts = (
        bounded::<{ capacity::TASK }>(),
        bounded::<{ capacity::SCENE }>(),
        bounded::<{ capacity::SUBTASK }>(),
        bounded::<{ capacity::PROGRESS }>(),
        bounded::<{ capacity::ACTION }>(),
    );
    let counters = (any::<[u32; 5]>(), any::<u16>(), any::<bool>());
    (texts, completed(), counters, phase).prop_map(
        |(
            (task, scene, subtask, progress, last_action),
            completed,
            (
                [
                    steps,
                    subtask_steps,
                    observation_hash,
                    dropped_bytes,
                    malformed,
                ],
                repeats,
                last_flag,
            ),
            phase,
        )| AgentState {
            task,
            scene,
            subtask,
            progress,
            completed,
            last_action,
            last_flag,
            phase,
            steps,
            subtask_steps,
            repeats,
            observation_hash,
            dropped_bytes,
            malformed,
        },
    )
}

/// The state with every text full and every number at its largest.
pub fn full_state() -> AgentState {
    fn full<const N: usize>() -> BoundedText<N> {
        BoundedText::try_from("x".repeat(N).as_str()).expect("it fits exactly")
    }
    let mut completed: Completed = postcard::from_bytes(&[0, 0xff, 0xff, 0xff, 0xff, 0x0f])
        .expect("no subtasks and the largest count");
    for index in 0..capacity::COMPLETED {
        // A repeated subtask would be counted only.
        let letter = if index % 2 == 0 { "x" } else { "y" };
        completed.push(&letter.repeat(capacity::SUBTASK), capacity::COMPLETED);
    }
    assert_eq!(
        (completed.len(), completed.dropped()),
        (capacity::COMPLETED, u32::MAX)
    );
    AgentState {
        task: full(),
        scene: full(),
        subtask: full(),
        progress: full(),
        completed,
        last_action: full(),
        last_flag: true,
        phase: Phase::Ended,
        steps: u32::MAX,
        subtask_steps: u32::MAX,
        repeats: u16::MAX,
        observation_hash: u32::MAX,
        dropped_bytes: u32::MAX,
        malformed: u32::MAX,
    }
}
