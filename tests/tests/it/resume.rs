//! Training that was killed goes on as if nothing had happened.
#![cfg(unix)]

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::demonstrations;
use crate::pipeline::TINY;
use crate::support::{folder, program, succeed};

/// SIGKILL: nothing can be saved any more.
const KILLED: i32 = 9;

fn bc(folder: &Path, run: &str) -> Command {
    let mut command = program("stride-train");
    command
        .args([
            "bc",
            "--steps",
            "300",
            "--save-every",
            "10",
            "--eval-every",
            "100",
        ])
        .arg("--config")
        .arg(folder.join("tiny.toml"))
        .arg("--data")
        .arg(folder.join("demonstrations/household.jsonl.zst"))
        .arg("--out")
        .arg(folder.join(run));
    command
}

fn weights(folder: &Path, run: &str) -> Vec<u8> {
    let out = folder.join(format!("{run}-checkpoint"));
    succeed(
        program("stride-train")
            .arg("export")
            .arg("--run")
            .arg(folder.join(run))
            .arg("--last")
            .arg("--out")
            .arg(&out),
    );
    std::fs::read(out.join("model.safetensors")).unwrap()
}

#[test]
fn a_killed_run_ends_with_the_same_weights() {
    let folder = folder();
    let folder = folder.path();
    demonstrations::make(folder);
    std::fs::write(folder.join("tiny.toml"), TINY).unwrap();

    succeed(&mut bc(folder, "whole"));

    let mut child = bc(folder, "killed")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = folder.join("killed/last.safetensors");
    while !checkpoint.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(
        status.signal(),
        Some(KILLED),
        "it ended before it could be killed: {status}"
    );

    succeed(bc(folder, "killed").arg("--resume"));
    let (whole, resumed) = (weights(folder, "whole"), weights(folder, "killed"));
    assert!(whole == resumed, "the weights differ");
}
