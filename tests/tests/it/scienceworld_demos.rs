//! Demonstrations of ScienceWorld against the real simulator: they win, add up, and survive a kill.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use stride_agent::transition::{EndKind, Source};

use crate::demonstrations;
use crate::scienceworld::simulator;
use crate::support::{folder, program};

/// A small job over tasks of several families: 132 variations, three parts.
fn demos(out: &Path) -> Command {
    let mut command = program("stride-train");
    command
        .args(["demos", "scienceworld", "--tasks"])
        .arg("find-plant,power-component,identify-life-stages-2")
        .args(["--noisy", "0", "--variants", "1", "--balance", "0", "--out"])
        .arg(out);
    command
}

#[test]
fn a_killed_job_goes_on_behind_its_last_part() {
    if !simulator() {
        return;
    }
    let folder = folder();
    let out = folder.path().join("demos");
    let mut child = demos(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let first = out.join("scienceworld.jsonl.zst.parts/00000.json");
    while !first.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let finished = std::fs::metadata(&first).unwrap().modified().unwrap();
    let file = out.join("scienceworld.jsonl.zst");
    assert!(!file.exists(), "the output appeared before it was whole");

    let mut again = demos(&out);
    let mut child = again.stdout(Stdio::piped()).spawn().unwrap();
    // The part of the killed run is used as it is, until the joined file replaces all parts.
    while !file.exists() && child.try_wait().unwrap().is_none() {
        if let Ok(part) = std::fs::metadata(&first) {
            assert_eq!(part.modified().unwrap(), finished);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let table = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let all = table.lines().find(|line| line.starts_with("all ")).unwrap();
    let cells: Vec<&str> = all.split_whitespace().collect();
    assert_eq!(cells[1..3], ["132", "132"], "{table}");

    let transitions = demonstrations::read(&file);
    let own = transitions.iter().filter(|t| t.source == Source::Expert);
    let games: BTreeSet<&str> = own.clone().map(|t| t.game.as_str()).collect();
    assert_eq!(games.len(), 132);
    assert!(own.clone().all(|t| t.end == EndKind::Success));
    // Rewards of the high level add up to the full score in every episode (method section 13).
    for game in &games {
        let sum: f32 = own
            .clone()
            .filter(|t| t.game == *game && t.state.level().to_string() == "high")
            .map(|t| t.reward)
            .sum();
        assert!((sum - 1.0).abs() < 1e-4, "{game}: {sum}");
    }
    assert!(transitions.iter().any(|t| t.source == Source::Relabelled));
    assert!(!out.join("scienceworld.jsonl.zst.parts").exists());
}

#[test]
fn an_unknown_task_is_named() {
    if !simulator() {
        return;
    }
    let folder = folder();
    let ran = crate::support::run(
        program("stride-train")
            .args(["demos", "scienceworld", "--tasks", "cook-dinner", "--out"])
            .arg(folder.path()),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("cook-dinner"), "{}", ran.stderr);
}
