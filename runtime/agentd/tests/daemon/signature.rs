//! Models that must be signed: right, missing, foreign and damaged signatures.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use minisign::KeyPair;
use stride_client::ClientError;
use stride_client::api::{ActivateModel, ModelInfo};

use crate::play::episode;
use crate::support::{MODEL, PROGRAM, Place, shipped_model};

fn add(place: &Place, name: &str) -> PathBuf {
    let path = place.models().join(format!("{name}.gguf"));
    fs::copy(shipped_model(), &path).unwrap();
    path
}

fn sign(keys: &KeyPair, place: &Place, name: &str) -> PathBuf {
    let model = fs::File::open(place.models().join(format!("{name}.gguf"))).unwrap();
    let signature = minisign::sign(Some(&keys.pk), &keys.sk, model, None, None).unwrap();
    let path = place.models().join(format!("{name}.gguf.minisig"));
    fs::write(&path, signature.to_string()).unwrap();
    path
}

fn activate(place: &Place, model: &str) -> Result<ModelInfo, ClientError> {
    let wish = ActivateModel {
        model: model.into(),
    };
    place.client().post("/v1/stride/models/activate", &wish)
}

#[test]
fn only_models_that_the_key_signed_are_served() {
    let (ours, theirs) = (
        KeyPair::generate_unencrypted_keypair().unwrap(),
        KeyPair::generate_unencrypted_keypair().unwrap(),
    );
    let key = ours.pk.to_base64();
    let mut place = Place::new().with(&["--model-key", &key]);

    // Without a signature nothing is served at all, and `check` says so.
    let ended = place.command(PROGRAM).status().unwrap();
    assert_eq!(ended.code(), Some(1));
    assert!(place.log().contains("minisign -S"), "{}", place.log());
    let daemon = place.command(PROGRAM);
    let check = || {
        let checked = Command::new(PROGRAM)
            .arg("check")
            .args(daemon.get_args())
            .output()
            .unwrap();
        String::from_utf8(checked.stdout).unwrap()
    };
    assert!(check().contains("FAIL  model"), "{}", check());

    sign(&ours, &place, MODEL);
    assert!(check().contains(", signed"), "{}", check());
    place.start();
    let calm = episode(&place.client(), "calm", 2, 5);

    let refused = |place: &Place, name: &str, why: &str| match activate(place, name) {
        Err(ClientError::Refused {
            status,
            code,
            message,
            ..
        }) => {
            assert_eq!(
                (status, &*code),
                (422, "model_refused"),
                "{name}: {message}"
            );
            assert!(message.contains(why), "{name}: {message}");
        }
        other => panic!("{name}: {other:?}"),
    };
    add(&place, "unsigned");
    refused(&place, "unsigned", "minisign -S");
    add(&place, "foreign");
    sign(&theirs, &place, "foreign");
    refused(&place, "foreign", "model_key");
    // One byte of the weights; the file is a good model otherwise.
    let path = add(&place, "changed");
    sign(&ours, &place, "changed");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    refused(&place, "changed", "not for this file");
    // A signature of ours under a comment that we did not write.
    add(&place, "comment");
    let path = sign(&ours, &place, "comment");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("timestamp:", "timestamp:1")).unwrap();
    refused(&place, "comment", "not for this file");
    for (name, text) in [("empty", ""), ("text", "no signature\nat\nall\n!")] {
        add(&place, name);
        fs::write(place.models().join(format!("{name}.gguf.minisig")), text).unwrap();
        refused(&place, name, "model_key");
    }

    add(&place, "twin");
    sign(&ours, &place, "twin");
    assert_eq!(activate(&place, "twin").unwrap().name, "twin");
    assert_eq!(episode(&place.client(), "after", 2, 5), calm);
    // What was activated must be signed at the next start too; else the one that the settings name serves.
    fs::remove_file(place.models().join("twin.gguf.minisig")).unwrap();
    assert!(place.stop());
    place.start();
    assert_eq!(place.client().ready().unwrap().model.unwrap().name, MODEL);

    let mut other = Place::new().with(&["--model-key", "RWnonsense"]);
    let ended = other.command(PROGRAM).status().unwrap();
    assert_eq!(ended.code(), Some(2));
    assert!(
        !other.is_running() && other.log().contains("minisign.pub"),
        "{}",
        other.log()
    );
}
