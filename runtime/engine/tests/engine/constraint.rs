//! Constrained utterances are always of the set, and free ones of the set are kept.

use std::collections::HashSet;

use stride_agent::policy::Policy as _;
use stride_agent::transition::FrameText;
use stride_agent::utterance::parse_low;
use stride_engine::{ActionTemplates, EngineOptions, PerLevel, Sampling};
use stride_firmware_config::level::PolicyLevel;

use crate::common::{episode, exact, load};

/// The set by its definition, listed naively: no tries, no tokens.
fn allowed(frame: &FrameText) -> HashSet<String> {
    let FrameText::Low {
        scene,
        observation,
        subtask,
        progress,
    } = frame
    else {
        panic!("only low frames are constrained");
    };
    let receptacles = names(scene);
    let texts = [observation, progress, subtask];
    let mut objects: HashSet<String> = texts.into_iter().flat_map(|text| names(text)).collect();
    objects.retain(|name| !receptacles.contains(name));
    let mut actions: HashSet<String> = ["look".to_owned(), "inventory".to_owned()].into();
    for r in &receptacles {
        actions.extend(["go to", "open", "close", "examine"].map(|verb| format!("{verb} {r}")));
        for o in &objects {
            actions.insert(format!("take {o} from {r}"));
            actions.insert(format!("move {o} to {r}"));
            actions.extend(["clean", "heat", "cool"].map(|verb| format!("{verb} {o} with {r}")));
        }
    }
    for o in &objects {
        actions.extend([format!("use {o}"), format!("examine {o}")]);
    }
    let flags = ["True", "False"];
    actions
        .iter()
        .flat_map(|a| flags.map(|f| format!("{a}; {f}")))
        .collect()
}

fn names(text: &str) -> HashSet<String> {
    let clean = text.replace([',', '.', '[', ']', ':'], "");
    let words: Vec<&str> = clean.split_whitespace().collect();
    let mut found = HashSet::new();
    for at in 0..words.len().saturating_sub(1) {
        let Ok(first) = words[at + 1].parse::<u32>() else {
            continue;
        };
        if words[at] == "to" {
            continue;
        }
        let range = words.get(at + 2) == Some(&"to");
        let last = if range {
            words[at + 3].parse().unwrap()
        } else {
            first
        };
        found.extend((first..=last).map(|n| format!("{} {n}", words[at])));
    }
    found
}

fn constrained() -> EngineOptions {
    EngineOptions {
        constraint: Some(ActionTemplates::default()),
        utterance_caps: PerLevel::all(64),
        ..exact()
    }
}

fn low_frames(seeds: std::ops::Range<u64>) -> impl Iterator<Item = FrameText> {
    seeds
        .flat_map(|seed| episode(seed, 10))
        .filter(|frame| frame.as_frame().level() == PolicyLevel::Low)
}

#[test]
fn greedy_utterances_are_of_the_set() {
    let mut policy = load(constrained());
    for frame in low_frames(0..10) {
        let said = policy.utter(&frame.as_frame()).unwrap();
        assert!(
            allowed(&frame).contains(&said.text),
            "{} for {frame:?}",
            said.text
        );
        assert!(!said.cost.capped);
        assert!(parse_low(&said.text).is_ok());
    }
}

#[test]
fn sampled_utterances_are_of_the_set_and_differ() {
    let mut policy = load(EngineOptions {
        sampling: Sampling::Seeded {
            seed: 5,
            temperature: PerLevel::all(3.0),
        },
        ..constrained()
    });
    let mut seen = HashSet::new();
    for frame in low_frames(0..20) {
        let said = policy.utter(&frame.as_frame()).unwrap().text;
        assert!(allowed(&frame).contains(&said), "{said} for {frame:?}");
        seen.insert(said.split(' ').next().unwrap().to_owned());
    }
    assert!(seen.len() > 5, "{seen:?}");
}

#[test]
fn a_frame_without_names_still_allows_something() {
    let mut policy = load(constrained());
    let frame = FrameText::Low {
        scene: String::new(),
        observation: "It is dark.".into(),
        subtask: "wait".into(),
        progress: String::new(),
    };
    let said = policy.utter(&frame.as_frame()).unwrap().text;
    assert!(allowed(&frame).contains(&said), "{said}");
}

/// A constraint that allows exactly one action leaves only its flag to the model.
#[test]
fn forced_tokens_are_generated_without_being_decoded_one_by_one() {
    let only = "inventory now";
    let mut policy = load(EngineOptions {
        constraint: Some(ActionTemplates::parse([only]).unwrap()),
        ..constrained()
    });
    for frame in low_frames(0..2) {
        let said = policy.utter(&frame.as_frame()).unwrap();
        assert!(said.text.starts_with("inventory now; "), "{}", said.text);
        // What is asked next comes from a clean cache, whatever was skipped.
        let again = policy.utter(&frame.as_frame()).unwrap();
        assert_eq!(again.text, said.text);
    }
}
