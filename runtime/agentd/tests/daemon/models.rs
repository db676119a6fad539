//! Models switched under load; damaged and foreign ones refused.

use std::fs;

use stride_client::ClientError;
use stride_client::api::{ActivateModel, ModelInfo, ModelList};

use crate::killed::under_load;
use crate::support::{MODEL, Place, shipped_model};

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
    let (_, steps) = under_load(&mut place, |place| {
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
