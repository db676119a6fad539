//! Which actions are given out: the guard of a deployment, lists of admissible actions.

use std::fs;

use stride_client::ClientError;
use stride_client::api::{CreateAgent, Ending, StepRequest};

use crate::support::Place;

fn refused(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Refused { status, code, .. } => (status, code),
        other => panic!("{other}"),
    }
}

fn agent(id: &str, vocabulary: Option<&[&str]>) -> CreateAgent {
    CreateAgent {
        id: Some(id.into()),
        task: "put a fork in countertop".into(),
        scene: "countertop 1 to 2, drawer 1 to 7".into(),
        vocabulary: vocabulary.map(owned),
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn step(n: u32, admissible: Option<&[&str]>) -> StepRequest {
    StepRequest {
        request_id: format!("r{n}"),
        observation: "You are in the middle of a room.".into(),
        admissible: admissible.map(owned),
        ..StepRequest::default()
    }
}

#[test]
fn a_denied_action_is_not_given_out_and_written_down() {
    let place = Place::new();
    let profile = place.path("profile.toml");
    fs::write(&profile, "[limits]\nactions_per_episode = 4\n").unwrap();
    let settings = "[guard]\ndeny = ['^open', '^go to']\n[audit]\nreserve_bytes = 0\n\
        [log]\nredact = [{ pattern = 'countertop|drawer', replacement = 'PLACE' }]\n";
    let mut place = place
        .with(&["--profile", profile.to_str().unwrap(), "--threads", "1"])
        .with_settings(settings)
        .started();
    let client = place.client();
    client.create(&agent("a", None)).unwrap();
    let first = client.step("a", &step(0, None)).unwrap();
    assert_eq!((first.action.as_deref(), first.flags.refused), (None, true));
    assert!(first.flags.ended.is_none() && !first.flags.finished);
    assert_eq!(client.step("a", &step(0, None)).unwrap(), first, "recorded");
    let shown = client.get("a").unwrap();
    assert_eq!((shown.last_action.as_str(), shown.steps), ("", 1));
    // The agent goes on, and its episode ends by the rules of any other.
    let mut last = first;
    let mut denied = 1.0;
    for n in 1..=4 {
        last = client.step("a", &step(n, None)).unwrap();
        let action = last.action.as_deref().unwrap_or_default();
        assert!(!action.starts_with("open") && !action.starts_with("go to"));
        assert!(last.flags.refused || last.action.is_some() || n == 4);
        denied += f64::from(u8::from(last.flags.refused));
    }
    assert_eq!(last.flags.ended, Some(Ending::Limit));
    let metric = "stride_actions_refused_total{reason=\"deny\"}";
    assert_eq!(place.metric(metric), denied);
    assert!(place.stop());
    let lines = fs::read_to_string(place.path("state/audit/audit-000001.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!((lines.len() as f64 - denied).abs() < 0.5);
    let line = &lines[0];
    assert_eq!(
        (&line["agent"], &line["request_id"]),
        (&"a".into(), &"r0".into())
    );
    assert_eq!((&line["rule"], &line["step"]), (&"deny".into(), &1.into()));
    let action = line["action"].as_str().unwrap();
    assert!(
        action.starts_with("go to PLACE") || action.starts_with("open PLACE"),
        "{action}"
    );
}

#[test]
fn only_what_is_allowed_is_given_out() {
    let settings = "[guard]\nallow = ['look', 'examine .*']\ndeny = ['drawer 3']\n[audit]\nreserve_bytes = 0\n";
    let place = Place::new().with_settings(settings).started();
    let (client, once) = (place.client(), place.client_once());
    client.create(&agent("a", None)).unwrap();
    let free = client.step("a", &step(0, None)).unwrap();
    assert!(free.flags.refused, "{free:?}");
    assert!(place.metric("stride_actions_refused_total{reason=\"allow\"}") >= 1.0);
    // From a list the policy chooses what may be given out.
    let list = ["go to drawer 3", "examine drawer 3", "examine drawer 1"];
    let listed = client.step("a", &step(1, Some(&list))).unwrap();
    assert_eq!(listed.action.as_deref(), Some("examine drawer 1"));
    // A list of nothing else changes nothing.
    let none = once.step("a", &step(2, Some(&list[..2]))).unwrap_err();
    assert_eq!(refused(none), (422, "nothing_allowed".into()));
    assert_eq!(client.get("a").unwrap().steps, 2);
}

#[test]
fn steps_keep_to_the_admissible_actions() {
    let mut place = Place::new().started();
    let (client, once) = (place.client(), place.client_once());
    let words = ["sing a song", "open drawer 1", "wave", "go to countertop 2"];
    client.create(&agent("free", None)).unwrap();
    client.create(&agent("held", Some(&words))).unwrap();
    assert_eq!(
        client.create(&agent("held", Some(&words))).unwrap().steps,
        0
    );
    for other in [None, Some(&words[1..])] {
        let taken = once.create(&agent("held", other)).unwrap_err();
        assert_eq!(refused(taken), (409, "agent_exists".into()));
    }
    for n in 0..6 {
        // The same answer from a daemon that was started again: the vocabulary is the agent's.
        if n == 3 {
            assert!(place.stop());
            place.start();
        }
        let answer = client.step("held", &step(n, None)).unwrap();
        assert!(words.contains(&&*answer.action.unwrap()), "step {n}");
        let few = [words[0], words[2]];
        let answer = client.step("free", &step(n, Some(&few))).unwrap();
        assert!(few.contains(&&*answer.action.unwrap()), "step {n}");
    }
    let only = client.step("held", &step(6, Some(&words[2..3]))).unwrap();
    assert_eq!(only.action.as_deref(), Some("wave"));
    assert!(!only.flags.refused && !only.flags.repaired);
    let bad: [&[&str]; 5] = [&["fly"], &[], &[""], &["a; b"], &[" wave"]];
    for list in bad {
        let error = once.step("held", &step(7, Some(list))).unwrap_err();
        assert_eq!(refused(error), (400, "invalid".into()), "{list:?}");
    }
    let long = "x".repeat(90);
    let many: Vec<String> = (0..400).map(|n| format!("{n} {long}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let error = once.create(&agent("much", Some(&many))).unwrap_err();
    assert_eq!(refused(error), (400, "invalid".into()));
    // A vocabulary goes with its agent.
    client.delete("held").unwrap();
    client.create(&agent("held", None)).unwrap();
    let few = ["sing a hymn"];
    let answer = client.step("held", &step(0, Some(&few))).unwrap();
    assert_eq!(answer.action.as_deref(), Some("sing a hymn"));
}
