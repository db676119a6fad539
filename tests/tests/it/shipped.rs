//! The shipped policy wins the demo.

use std::path::PathBuf;

use crate::support::{program, root, succeed};

/// The shipped policies; none before the first was trained.
fn policies() -> Vec<PathBuf> {
    let folder = root().join("models");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        })
        .collect()
}

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
    let policies = policies();
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
