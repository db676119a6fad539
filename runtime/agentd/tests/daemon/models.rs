//! Models switched under load; damaged and foreign ones refused.

use std::fs;

use stride_client::ClientError;
use stride_client::api::{ActivateModel, ModelInfo, ModelList};

use crate::killed::under_load;
use crate::support::{MODEL, PROGRAM, Place, shipped_model};

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
