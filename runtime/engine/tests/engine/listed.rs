//! When the actions are listed, one of them is said.

use stride_agent::utterance::parse_low;
use stride_engine::{
    BatchOptions, BatchPolicy, EngineError, EngineOptions, LlamaPolicy, PerLevel, Sampling,
};
use stride_firmware_config::frame::StepFrame;

use crate::common::{exact, load, policy_file};

const FRAME: StepFrame<'_> = StepFrame::Low {
    scene: "drawer 1 to 3",
    observation: "You are in a room.",
    subtask: "find an egg",
    progress: "",
};

const ACTIONS: [&str; 6] = [
    "look",
    "look around",
    "go to drawer 1",
    "go to drawer 12",
    "focus on door (that is closed)",
    "read \"no entry!\"",
];

fn options(sampling: Sampling) -> EngineOptions {
    EngineOptions {
        sampling,
        utterance_caps: PerLevel::all(120),
        ..exact()
    }
}

fn is_listed(text: &str) -> bool {
    parse_low(text).is_ok_and(|low| ACTIONS.contains(&low.action))
}

#[test]
fn one_of_the_list_is_said() {
    let sampling = Sampling::Seeded {
        seed: 1,
        temperature: PerLevel::all(5.0),
    };
    let mut policy = load(options(sampling));
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..60 {
        let said = policy.answer_among(&FRAME, &ACTIONS).unwrap();
        assert!(is_listed(&said.text) && !said.cost.capped, "{}", said.text);
        seen.insert(said.text);
    }
    assert!(seen.len() > 4, "{seen:?}");
    // The next call is free again.
    assert!(policy.answer(&FRAME).is_ok());
}

#[test]
fn many_agents_say_one_of_their_lists() {
    let mut policy = BatchPolicy::load(
        &policy_file(),
        BatchOptions {
            engine: options(Sampling::Greedy),
            ..BatchOptions::default()
        },
    )
    .unwrap();
    for agent in 0..12_usize {
        let list = &ACTIONS[agent % 4..];
        policy.submit_among(agent as u64, 0, &FRAME, list).unwrap();
    }
    let mut answers = 0;
    while policy.advance() {
        while let Some(answer) = policy.take_answer() {
            let text = answer.outcome.unwrap().text;
            let list = &ACTIONS[answer.agent as usize % 4..];
            let mut alone = LlamaPolicy::load(&policy_file(), options(Sampling::Greedy)).unwrap();
            assert_eq!(text, alone.answer_among(&FRAME, list).unwrap().text);
            assert!(is_listed(&text), "{text}");
            answers += 1;
        }
    }
    assert_eq!(answers, 12);
}

#[test]
fn lists_that_cannot_be_said_are_refused() {
    let mut policy = load(exact());
    let long = "x".repeat(2000);
    let many = vec!["look"; 5000];
    for list in [
        &[][..],
        &[""],
        &["a; b"],
        &["a\nb"],
        &[" a"],
        &[&*long],
        &many,
    ] {
        let error = policy.answer_among(&FRAME, list).unwrap_err();
        assert!(matches!(error, EngineError::Actions { .. }), "{error}");
    }
}
