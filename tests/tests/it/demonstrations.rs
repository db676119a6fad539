//! A few demonstrations of household games by the expert, for tests that train.

use std::fs::File;
use std::path::{Path, PathBuf};

use stride_agent::transition::Transition;

use crate::support::{program, succeed};

/// Lets the expert play eight household games, each once with errors on purpose as well; returns the transition file.
pub fn make(folder: &Path) -> PathBuf {
    let out = folder.join("demonstrations");
    let table = succeed(
        program("stride-train")
            .args(["demos", "--household", "0..8", "--household-noisy", "1"])
            .args(["--threads", "1", "--out"])
            .arg(&out),
    );
    let all = table.lines().find(|line| line.starts_with("all "));
    let cells: Vec<&str> = all.unwrap_or(&table).split_whitespace().collect();
    assert_eq!(
        cells[1..3],
        ["8", "8"],
        "the expert did not win every game\n{table}"
    );
    out.join("household.jsonl.zst")
}

/// The transitions of a file.
pub fn read(path: &Path) -> Vec<Transition> {
    let lines = zstd::decode_all(File::open(path).unwrap()).unwrap();
    serde_json::Deserializer::from_slice(&lines)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap()
}
