//! Models switched under load; damaged and foreign ones refused.

use std::fs;

use rustix::process::Signal;
use stride_client::ClientError;
use stride_client::api::{ActivateModel, CreateAgent, ModelInfo, ModelList, StepRequest};

use stride_agent::environment::Environment as _;
use stride_engine::{EngineOptions, LlamaPolicy};
use stride_environments::household::HouseholdEnvironment;
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::state::Completed;

use crate::killed::under_load;
use crate::play::episode;
use crate::support::{MODEL, PROGRAM, Place, is_alive, shipped_model, signal};

fn activate(place: &Place, model: &str) -> Result<ModelInfo, ClientError> {
    let wish = ActivateModel {
        model: model.into(),
    };
    place.client().post("/v1/stride/models/activate", &wish)
}

fn code(result: Result<ModelInfo, ClientError>) -> String {
    match result {
        Err(ClientError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    }
}

fn golden(place: &Place, model: &str) -> std::process::Output {
    let mut command = place.command(PROGRAM);
    let daemon: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = std::process::Command::new(PROGRAM);
    let observations = [
        "You are in the middle of a room.",
        "You arrive at drawer 1.",
        "Nothing happens.",
    ];
    command
        .arg("golden")
        .args(daemon)
        .args([
            "--model",
            model,
            "--task",
            "put a fork in countertop",
            "--scene",
            "countertop 1 to 2, drawer 1",
        ])
        .args(observations)
        .output()
        .unwrap()
}

#[test]
fn a_model_that_answers_otherwise_than_it_did_is_refused() {
    let place = Place::new();
    changed(&place, "twin", |_| {});
    for model in [MODEL, "twin"] {
        let made = golden(&place, model);
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    let mut place = place.started();
    assert_eq!(activate(&place, "twin").unwrap().name, "twin");
    assert_eq!(activate(&place, MODEL).unwrap().name, MODEL);
    let path = place.models().join("twin.golden.json");
    let text = fs::read_to_string(&path).unwrap();
    let action = text
        .split("\"action\": \"")
        .nth(2)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    fs::write(&path, text.replace(action, "sing a song")).unwrap();
    assert_eq!(code(activate(&place, "twin")), "model_refused");
    fs::write(&path, "[]").unwrap();
    assert_eq!(code(activate(&place, "twin")), "model_refused");
    let list: ModelList = place.client().fetch("/v1/stride/models").unwrap();
    assert_eq!(list.active.unwrap().name, MODEL);
    assert!(place.is_running());
}

/// Writes the shipped model under another name, changed.
fn changed(place: &Place, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(shipped_model()).unwrap();
    change(&mut bytes);
    fs::write(place.models().join(format!("{name}.gguf")), bytes).unwrap();
}

#[test]
fn models_are_switched_under_load_and_bad_ones_refused() {
    let mut place = Place::new();
    // The same weights under another name, so that every episode can be compared.
    changed(&place, "twin", |_| {});
    changed(&place, "cut", |bytes| bytes.truncate(bytes.len() / 2));
    changed(&place, "text", |bytes| *bytes = b"no model at all".to_vec());
    changed(&place, "layout", |bytes| {
        let key = b"stride.layout";
        let at = bytes
            .windows(key.len())
            .position(|window| window == key)
            .unwrap();
        bytes[at + 1] ^= 1;
    });
    changed(&place, "hash", |_| {});
    let sum = format!("{:0>64}  hash.gguf\n", 1);
    fs::write(place.models().join("hash.gguf.sha256"), sum).unwrap();
    place.start();
    let (_, steps) = under_load(&mut place, |place, _| {
        for round in 0..6 {
            let model = if round % 2 == 0 { "twin" } else { MODEL };
            assert_eq!(activate(place, model).unwrap().name, model);
            for bad in ["cut", "text", "layout", "hash"] {
                assert_eq!(code(activate(place, bad)), "model_refused", "{bad}");
            }
        }
        assert_eq!(code(activate(place, "absent")), "no_model");
        assert_eq!(code(activate(place, "../models/twin")), "invalid");
    });
    println!("6 switches and 24 refusals under {steps} steps: none failed");
    assert_eq!(
        place.metric("stride_model_switches_total{reason=\"done\"}"),
        6.0
    );
    // What was activated last serves after the next start, whatever the flag says.
    activate(&place, "twin").unwrap();
    assert!(place.stop());
    place.start();
    let list: ModelList = place.client().fetch("/v1/stride/models").unwrap();
    assert_eq!(list.active.unwrap().name, "twin");
    assert_eq!(list.models.len(), 6);
}

/// Where the rows of a Q8_0 matrix lie in a GGUF file: the place of the first, bytes of one, their number.
fn rows_of(bytes: &[u8], name: &str) -> (usize, usize, usize) {
    let number = |at: usize| {
        usize::try_from(u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
    };
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let key = [&(name.len() as u64).to_le_bytes()[..], name.as_bytes()].concat();
    let mut at = bytes.windows(key.len()).position(|it| it == key).unwrap() + key.len();
    assert_eq!((word(at), word(at + 20)), (2, 8), "two dimensions, Q8_0");
    let (columns, rows, offset) = (number(at + 4), number(at + 12), number(at + 24));
    // The tensors' descriptions follow each other; the data begins behind the last, aligned.
    at += 32;
    while matches!(number(at), 1..=63) {
        at += 8 + number(at);
        at += 4 + 8 * word(at) as usize + 12;
    }
    (at.next_multiple_of(32) + offset, columns / 32 * 34, rows)
}

/// Damages a model where loading does not look: the embedding of one word is no number. It answers whatever does not hold the
/// word, so it is loaded and switched to; the first step of the game, with the word in it, fails.
pub fn rot(bytes: &mut [u8], game: u64) {
    let mut policy = LlamaPolicy::load(&shipped_model(), EngineOptions::default()).unwrap();
    let opening = HouseholdEnvironment::new(game).reset().unwrap();
    let first = policy.frame_tokens(&StepFrame::High {
        scene: &opening.scene,
        observation: &opening.observation,
        task: &opening.task,
        completed: &Completed::default(),
        progress: "",
    });
    // What a model must answer before it may serve.
    let asked = policy.frame_tokens(&StepFrame::Low {
        scene: "",
        observation: "You are in the middle of a room.",
        subtask: "look around",
        progress: "",
    });
    let word = first
        .into_iter()
        .find(|word| !asked.contains(word))
        .unwrap();
    let (first, row, rows) = rows_of(bytes, "token_embd.weight");
    let word = usize::try_from(word).unwrap();
    assert!(word < rows && first + row * rows <= bytes.len());
    // The scales of the row's blocks: 16-bit floats that are no numbers.
    for block in 0..row / 34 {
        let scale = first + word * row + block * 34;
        bytes[scale..scale + 2].copy_from_slice(&0x7e00_u16.to_le_bytes());
    }
}

fn served(place: &Place) -> ModelInfo {
    let list: ModelList = place.client().fetch("/v1/stride/models").unwrap();
    list.active.unwrap()
}

const GAME: u64 = 3;

const ROLLED_BACK: &str = "stride_model_switches_total{reason=\"rolled_back\"}";

#[test]
fn a_model_that_fails_in_its_first_steps_goes_back_by_itself() {
    let mut place = Place::new();
    changed(&place, "rotten", |bytes| rot(bytes, GAME));
    place.start();
    let active = |place: &Place| served(place).name;
    let calm = episode(&place.client(), "calm", GAME, 8);
    assert_eq!(activate(&place, "rotten").unwrap().name, "rotten");
    assert_eq!(active(&place), "rotten");
    // No step fails: the first one is made by the model before, and so are all that follow.
    assert_eq!(episode(&place.client_once(), "swapped", GAME, 8), calm);
    assert_eq!(active(&place), MODEL);
    assert_eq!(place.metric(ROLLED_BACK), 1.0);
    // The next start does not try it again.
    assert!(place.stop());
    place.start();
    assert_eq!(active(&place), MODEL);
    assert_eq!(episode(&place.client_once(), "again", GAME, 8), calm);
    assert_eq!(place.metric(ROLLED_BACK), 0.0);
}

/// The new model has the name of the old one, as after an upgrade: what is gone back to are the old one's bytes, not its path.
#[test]
fn a_model_that_was_replaced_under_its_own_name_is_gone_back_to() {
    let mut place = Place::new().started();
    let good = served(&place);
    let calm = episode(&place.client(), "calm", GAME, 8);
    changed(&place, "new", |bytes| rot(bytes, GAME));
    let path = |name: &str| place.models().join(format!("{name}.gguf"));
    fs::rename(path("new"), path(MODEL)).unwrap();
    let bad = activate(&place, MODEL).unwrap();
    assert_ne!(bad.sha256, good.sha256);
    assert_eq!(episode(&place.client_once(), "swapped", GAME, 8), calm);
    assert_eq!(place.metric(ROLLED_BACK), 1.0);
    assert_eq!(served(&place), good);
    // So it is for the next worker.
    let worker = place.worker();
    signal(worker, Signal::KILL);
    place.wait_until("rid of the worker", |_| !is_alive(worker));
    assert_eq!(episode(&place.client(), "again", GAME, 8), calm);
    assert_eq!(served(&place), good);
}

/// Whoever sends an observation of more tokens than a frame takes gets a refusal, and no vote on the model.
#[test]
fn a_frame_that_is_too_long_says_nothing_about_a_new_model() {
    let mut place = Place::new();
    changed(&place, "twin", |_| {});
    place.start();
    let calm = episode(&place.client(), "calm", GAME, 8);
    let client = place.client_once();
    let agent = CreateAgent {
        id: Some("dense".into()),
        task: "read".into(),
        ..CreateAgent::default()
    };
    client.create(&agent).unwrap();
    assert_eq!(activate(&place, "twin").unwrap().name, "twin");
    // No word of the vocabulary: each byte is a token.
    let dense = StepRequest {
        request_id: "r1".into(),
        observation: "\u{16a0}\u{3b1}".repeat(300),
        ..StepRequest::default()
    };
    match client.step("dense", &dense) {
        Err(ClientError::Refused { status, code, .. }) => {
            assert_eq!((status, &*code), (422, "policy_failed"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(served(&place).name, "twin");
    assert_eq!(place.metric(ROLLED_BACK), 0.0);
    assert_eq!(episode(&place.client_once(), "after", GAME, 8), calm);
    assert_eq!(served(&place).name, "twin");
}
