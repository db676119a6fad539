//! Models that must be signed: right, missing, foreign and damaged signatures.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use minisign::KeyPair;
use rustix::process::Signal;
use stride_client::ClientError;
use stride_client::api::{ActivateModel, ModelInfo};

use crate::models::rot;
use crate::play::episode;
use crate::support::{MODEL, PROGRAM, Place, is_alive, shipped_model, signal};

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

#[test]
fn a_file_that_is_replaced_later_is_not_served_unsigned() {
    const GAME: u64 = 2;
    let keys = KeyPair::generate_unencrypted_keypair().unwrap();
    let mut place = Place::new().with(&["--model-key", &keys.pk.to_base64()]);
    sign(&keys, &place, MODEL);
    place.start();
    let calm = episode(&place.client(), "calm", GAME, 5);
    let path = place.models().join(format!("{MODEL}.gguf"));
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    rot(&mut bad, GAME);
    let crash = |place: &mut Place| {
        let worker = place.worker();
        signal(worker, Signal::KILL);
        place.wait_until("rid of the worker", |_| !is_alive(worker));
    };

    // Another file under the name: the next worker reads the one that was signed.
    let beside = place.path("beside");
    fs::write(&beside, &bad).unwrap();
    fs::rename(&beside, &path).unwrap();
    crash(&mut place);
    assert_eq!(episode(&place.client(), "renamed", GAME, 5), calm);
    assert!(place.stop());

    // The file itself written over: there is nothing left to serve, until it is put right.
    fs::write(&path, &good).unwrap();
    place.start();
    fs::write(&path, &bad).unwrap();
    crash(&mut place);
    place.wait_until("rid of its worker", |place| {
        place.metric("stride_workers_lost_total{reason=\"died\"}") >= 1.0
    });
    place.wait_until("out of a model that it may serve", |place| {
        let ready = place.client_once().ready().unwrap();
        assert!(!ready.ready, "an unsigned model serves");
        ready
            .reason
            .is_some_and(|reason| reason.contains("signature"))
    });
    fs::write(&path, &good).unwrap();
    place.wait_ready();
    assert_eq!(episode(&place.client(), "mended", GAME, 5), calm);
}
