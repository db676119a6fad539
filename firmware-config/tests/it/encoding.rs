//! The record of an agent state: whole states come back, everything else is refused, nothing panics.

use proptest::collection::vec;
use proptest::prelude::*;
use stride_firmware_config::encoding::{
    DecodeError, EncodeError, HEADER, MAGIC, MAX_ENCODED, TRAILER, VERSION, decode, encode,
};
use stride_firmware_config::state::{AgentState, Phase};

use crate::arbitrary::{full_state, state};

fn record(state: &AgentState) -> Vec<u8> {
    let mut out = vec![0; MAX_ENCODED];
    let len = encode(state, &mut out).expect("MAX_ENCODED holds any state");
    out.truncate(len);
    out
}

/// A record with a right header and checksum around any body.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short body");
    let mut out = MAGIC.to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(body);
    let checksum = crc32fast::hash(&out);
    out.extend(checksum.to_le_bytes());
    out
}

proptest! {
    #[test]
    fn any_state_comes_back(state in state()) {
        let record = record(&state);
        prop_assert!(record.len() <= MAX_ENCODED);
        prop_assert_eq!(decode(&record), Ok(state));
    }

    #[test]
    fn random_bytes_are_refused(bytes in vec(any::<u8>(), 0..4096)) {
        prop_assert!(decode(&bytes).is_err());
    }

    /// The checksum of a hostile body is right, so the body itself must be read with care.
    #[test]
    fn random_bodies_never_panic(body in vec(any::<u8>(), 0..400)) {
        if let Ok(state) = decode(&framed(&body)) {
            prop_assert!(record(&state).len() <= MAX_ENCODED);
        }
    }

    #[test]
    fn a_flipped_bit_is_refused(state in state(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut record = record(&state);
        let at = at.index(record.len());
        record[at] ^= 1_u8 << bit;
        let error = decode(&record).expect_err("one bit differs");
        let body = HEADER..record.len() - TRAILER;
        if body.contains(&at) {
            prop_assert!(matches!(error, DecodeError::Checksum { .. }), "{error}");
        }
    }

    #[test]
    fn a_record_cut_short_is_refused(state in state(), at in any::<prop::sample::Index>()) {
        let record = record(&state);
        let error = decode(&record[..at.index(record.len())]).expect_err("bytes are missing");
        prop_assert!(matches!(error, DecodeError::TooShort { .. } | DecodeError::Length { .. }), "{error}");
    }

    #[test]
    fn a_small_buffer_is_refused(state in state(), room in any::<prop::sample::Index>()) {
        let available = room.index(record(&state).len());
        let mut out = vec![0; available];
        prop_assert_eq!(encode(&state, &mut out), Err(EncodeError::BufferTooSmall { available }));
    }
}

#[test]
fn the_largest_state_fills_the_largest_record() {
    let full = full_state();
    let record = record(&full);
    assert_eq!(record.len(), MAX_ENCODED);
    assert_eq!(decode(&record), Ok(full));
}

/// The bytes of version 1. If this fails, the meaning of stored records has changed: raise `VERSION`.
#[test]
fn version_one_to_the_byte() {
    let mut state = AgentState {
        task: "mug".try_into().expect("short"),
        scene: "hall".try_into().expect("short"),
        subtask: "go".try_into().expect("short"),
        progress: "é".try_into().expect("short"),
        last_action: "look".try_into().expect("short"),
        last_flag: true,
        phase: Phase::Acted,
        steps: 300,
        subtask_steps: 2,
        repeats: 1,
        observation_hash: 0xdead_beef,
        dropped_bytes: 5,
        malformed: 6,
        ..AgentState::default()
    };
    state.completed.push("a", 1);
    state.completed.push("b", 1);
    let body = b"\x03mug\x04hall\x02go\x02\xc3\xa9\x01\x01b\x01\x04look\x01\x02\xac\x02\x02\x01\xef\xfd\xb6\xf5\x0d\x05\x06";
    assert_eq!(record(&state), framed(body));
}

#[test]
fn refuses_too_few_bytes() {
    assert_eq!(
        decode(b"SAST\x01\x00\x00\x00abc"),
        Err(DecodeError::TooShort { len: 11, min: 12 })
    );
    assert_eq!(decode(b""), Err(DecodeError::TooShort { len: 0, min: 12 }));
}

#[test]
fn refuses_other_files() {
    let error = decode(b"GGUF\x03\x00\x00\x00\x00\x00\x00\x00").expect_err("another format");
    assert_eq!(error, DecodeError::NotARecord { found: *b"GGUF" });
    assert_eq!(
        error.to_string(),
        "not the record of an agent state: it starts with [47, 47, 55, 46] instead of [53, 41, 53, 54]"
    );
}

#[test]
fn refuses_another_version() {
    let mut record = record(&AgentState::default());
    record[4] = 9;
    let error = decode(&record).expect_err("version 9");
    assert_eq!(
        error.to_string(),
        "the record has version 9, this build reads version 1; start the episode anew or use the build that wrote it"
    );
}

#[test]
fn refuses_a_record_cut_short() {
    let record = record(&AgentState::default());
    let found = record.len() - 1;
    assert_eq!(
        decode(&record[..found]),
        Err(DecodeError::Length {
            expected: record.len(),
            found
        })
    );
}

#[test]
fn refuses_bytes_after_the_record() {
    let mut record = record(&AgentState::default());
    record.extend([0; 3]);
    assert_eq!(decode(&record), Err(DecodeError::Trailing { extra: 3 }));
}

#[test]
fn refuses_a_damaged_record() {
    let mut record = record(&AgentState::default());
    record[HEADER] ^= 1;
    assert!(matches!(decode(&record), Err(DecodeError::Checksum { .. })));
}

#[test]
fn refuses_a_body_that_is_no_state() {
    // The task claims 100 bytes and the body ends.
    assert!(matches!(decode(&framed(&[100])), Err(DecodeError::Body(_))));
}

#[test]
fn refuses_a_text_of_a_larger_build() {
    let mut body = vec![0xd8, 0x04]; // 600 bytes of task, as a variable-length number
    body.extend([b'x'; 600]);
    body.extend([0; 20]);
    assert!(matches!(decode(&framed(&body)), Err(DecodeError::Body(_))));
}

#[test]
fn refuses_a_text_that_is_not_utf8() {
    let mut body = vec![1, 0xff];
    body.extend([0; 20]);
    assert!(matches!(decode(&framed(&body)), Err(DecodeError::Body(_))));
}

#[test]
fn refuses_a_body_with_bytes_left() {
    let whole = record(&AgentState::default());
    let mut body = whole[HEADER..whole.len() - TRAILER].to_vec();
    body.extend([0; 2]);
    assert_eq!(
        decode(&framed(&body)),
        Err(DecodeError::BodyLeft { unread: 2 })
    );
}
