//! Records that are as long as they can be, damaged, and asked twice.

use stride_firmware_config::capacity;

use super::*;
use crate::worker::step;

/// An agent whose every text and number is as long as it can be.
fn longest() -> AgentRecord {
    let mut state = AgentState::default();
    let long = "x".repeat(2048);
    let fill = |set: Result<_, _>| assert!(set.is_ok());
    fill(state.task.set(&long, Overflow::Cut));
    fill(state.scene.set(&long, Overflow::Cut));
    fill(state.subtask.set(&long, Overflow::Cut));
    fill(state.progress.set(&long, Overflow::Cut));
    fill(state.last_action.set(&long, Overflow::Cut));
    for n in 0..20 {
        state
            .completed
            .push(&format!("{n}{long}"), capacity::COMPLETED);
    }
    state.steps = u32::MAX;
    state.dropped_bytes = u32::MAX;
    let mut record = AgentRecord::new(state, u64::MAX);
    for n in 0..40 {
        let outcome = StepOutcome {
            state: step::encode(&record.state).unwrap(),
            action: Some(long.clone()),
            prompt_tokens: u32::MAX,
            decoded_tokens: u32::MAX,
            generated_tokens: u32::MAX,
            micros: u64::MAX,
            ..StepOutcome::default()
        };
        record
            .step(&format!("{n:0>64}"), &outcome, true, 1.0, u64::MAX)
            .unwrap();
    }
    record
}

#[test]
fn the_longest_agent_fits_and_comes_back() {
    let record = longest();
    let bytes = record.to_bytes().unwrap();
    assert_eq!(AgentRecord::from_bytes(&bytes).unwrap(), record);
}

#[test]
fn every_damaged_byte_is_noticed_where_it_matters() {
    let record = longest();
    let bytes = record.to_bytes().unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    for at in 0..=end {
        let mut damaged = bytes;
        damaged[at] ^= 0x10;
        assert!(AgentRecord::from_bytes(&damaged).is_err(), "byte {at}");
    }
    assert_eq!(
        AgentRecord::from_bytes(&[0; RECORD]),
        Err(RecordError::Foreign)
    );
}

#[test]
fn repeated_requests_are_known() {
    let mut record = AgentRecord::new(AgentState::default(), 1);
    let mut answers = Vec::new();
    for n in 0..REMEMBERED + 2 {
        let id = format!("r{n}");
        assert_eq!(record.seen(&id), Seen::New);
        let outcome = StepOutcome {
            state: step::encode(&AgentState {
                steps: u32::try_from(n).unwrap() + 1,
                ..AgentState::default()
            })
            .unwrap(),
            action: Some("look".into()),
            ..StepOutcome::default()
        };
        answers.push(record.step(&id, &outcome, n % 2 == 1, 0.0, 2).unwrap());
        let stored = AgentRecord::from_bytes(&record.to_bytes().unwrap()).unwrap();
        assert_eq!(stored.seen(&id), Seen::Last(Box::new(answers[n].clone())));
    }
    let given: Vec<_> = answers.iter().map(|it| it.action.is_some()).collect();
    assert_eq!(given[..3], [true, false, true]);
    assert!(
        answers
            .iter()
            .all(|it| it.flags.refused == it.action.is_none())
    );
    assert_eq!(record.seen("r1"), Seen::Earlier);
    assert_eq!(
        record.seen("r0"),
        Seen::New,
        "older than what is remembered"
    );
    let end = record.end("over", true, 1.0, 3);
    assert_eq!((end.action, end.flags.ended), (None, Some(Ending::Success)));
    assert!(record.ended());
}
