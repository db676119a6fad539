//! Collection: the shipped policies play training games, what they did is stored once, and the expert labels it.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use stride_agent::transition::Source;

use crate::demonstrations;
use crate::scienceworld::simulator;
use crate::support::{folder, program, refuse, root, succeed};

/// Plays household games of the training seeds.
fn collect(seeds: &str, out: &Path) -> Command {
    let mut command = program("stride-train");
    command
        .args(["collect", "--jobs", "2", "--policy"])
        .arg(root().join("models/stride-household-q8_0.gguf"))
        .args(["--world", &format!("household:{seeds}"), "--out"])
        .arg(out);
    command
}

#[test]
fn a_killed_collection_goes_on_behind_its_last_part() {
    let folder = folder();
    let out = folder.path().join("played.jsonl.zst");
    // Greedy, so that both ways play the same: two parts, of 128 games and of 4.
    let job = |out: &Path| {
        let mut command = collect("1000000..1000132", out);
        command.args(["--temperature", "0"]);
        command
    };
    let mut child = job(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = folder.path().join("played.jsonl.zst.parts/00000.json");
    while !first.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.exists(), "it ended before its first part");
    assert!(!out.exists(), "the output appeared before it was whole");
    let finished = std::fs::metadata(&first).unwrap().modified().unwrap();

    let mut child = job(&out).stdout(Stdio::piped()).spawn().unwrap();
    // The part of the killed run is used as it is, until the joined file replaces all parts.
    while !out.exists() && child.try_wait().unwrap().is_none() {
        if let Ok(part) = std::fs::metadata(&first) {
            assert_eq!(part.modified().unwrap(), finished);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.starts_with("132 episodes of household:"), "{said}");
    let transitions = demonstrations::read(&out);
    assert!(transitions.iter().all(|t| t.source == Source::Policy));
    assert_eq!(transitions.chunk_by(|a, b| a.game == b.game).count(), 132);
}

#[test]
fn an_episode_that_is_played_twice_is_stored_once() {
    let folder = folder();
    let out = folder.path().join("played.jsonl");
    let said =
        succeed(collect("1000000..1000003", &out).args(["--temperature", "0", "--rounds", "3"]));
    assert!(said.starts_with("3 episodes of "), "{said}");
    assert!(said.contains("6 repeated and left out, 0 broken"), "{said}");
}

#[test]
fn games_of_other_splits_and_missing_players_are_refused() {
    let folder = folder();
    let out = folder.path().join("played.jsonl");
    refuse(
        &mut collect("0..100", &out),
        1,
        &["no training split", "1000000"],
    );
    refuse(
        collect("1000000..1000001", &out).args(["--evaluator", "/nowhere/stride-eval"]),
        1,
        &["/nowhere/stride-eval", "cannot be started", "--evaluator"],
    );
    refuse(
        collect("1000000..1000001", &out).args(["--temperature", "warm"]),
        1,
        &["stride-eval", "warm"],
    );
    assert!(!out.exists());
}

#[test]
fn what_a_policy_did_in_scienceworld_is_labelled() {
    if !simulator() {
        return;
    }
    let folder = folder();
    let (out, labelled) = (
        folder.path().join("played.jsonl.zst"),
        folder.path().join("labelled.jsonl.zst"),
    );
    let said = succeed(
        program("stride-train")
            .args(["collect", "--world", "scienceworld:train", "--games", "3"])
            .args([
                "--temperature",
                "low=1.5",
                "--seed",
                "5",
                "--jobs",
                "1",
                "--policy",
            ])
            .arg(root().join("models/stride-scienceworld-q8_0.gguf"))
            .arg("--out")
            .arg(&out)
            .arg("--relabel")
            .arg(&labelled),
    );
    assert!(said.contains("frames labelled"), "{said}");
    let labels = demonstrations::read(&labelled);
    assert!(!labels.is_empty());
    assert!(
        labels
            .iter()
            .all(|t| t.source == Source::Relabelled && t.next.is_none())
    );
    // The same labels come from the file alone, as they would from a device's log.
    let again = folder.path().join("again.jsonl.zst");
    succeed(
        program("stride-train")
            .args(["relabel", "--data"])
            .arg(&out)
            .arg("--out")
            .arg(&again),
    );
    assert_eq!(
        std::fs::read(&labelled).unwrap(),
        std::fs::read(&again).unwrap()
    );
}
