//! The program `stride-eval` as its users meet it: help, usage errors, tables, JSON, interrupts, and what is
//! measured of the shipped policy. What needs a trainer is in the workspace's `tests/`.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod bench;
mod bench_world;
mod fit;
mod usage;

use std::process::Command;

/// A command that starts `stride-eval`.
fn stride_eval() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stride-eval"));
    command.env_remove("ALFWORLD_DATA");
    command
}

/// Exit code, stdout and stderr of `stride-eval` with these arguments.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = stride_eval().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}
