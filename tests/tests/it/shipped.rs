//! The shipped policies win: the demo, and an episode of ScienceWorld's dev split.

use std::path::PathBuf;

use crate::scienceworld::simulator;
use crate::support::{program, root, succeed};

/// The shipped policies of a world, none before the first was trained.
fn policies(world: &str) -> Vec<PathBuf> {
    let start = format!("stride-{world}-");
    let folder = root().join("models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(&start) && name.ends_with(".gguf")
        })
        .collect()
}

/// An episode of the dev split.
const SCIENCEWORLD_EPISODE: &str = "scienceworld:find-plant/151";

/// The game that `make demo` plays.
fn demo_game() -> String {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let game = makefile
        .lines()
        .find_map(|line| line.strip_prefix("GAME ?= "));
    format!(
        "household:{}",
        game.expect("the Makefile names the demo's game").trim()
    )
}

#[test]
fn the_demo_ends_with_a_won_game() {
    let policies = policies("household");
    if policies.is_empty() {
        println!("skipped: models/ holds no policy yet");
    }
    for policy in policies {
        assert!(
            std::fs::metadata(&policy).unwrap().len() <= 16 << 20,
            "{}",
            policy.display()
        );
        let trace = succeed(
            program("stride-eval")
                .arg("play")
                .arg("--policy")
                .arg(&policy)
                .args(["--threads", "1", "--world", &demo_game()]),
        );
        let last = trace.lines().last().unwrap();
        assert!(last.starts_with("won in "), "{}\n{trace}", policy.display());
    }
}

#[test]
fn an_episode_of_scienceworld_ends_at_100() {
    if !simulator() {
        return;
    }
    let policies = policies("scienceworld");
    if policies.is_empty() {
        println!("skipped: models/ holds no policy for ScienceWorld yet");
    }
    for policy in policies {
        let trace = succeed(
            program("stride-eval")
                .args(["play", "--threads", "1", "--policy"])
                .arg(&policy)
                .args(["--world", SCIENCEWORLD_EPISODE]),
        );
        let last = trace.lines().last().unwrap();
        assert!(last.starts_with("won in "), "{}\n{trace}", policy.display());
    }
}
