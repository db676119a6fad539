//! Programs, folders and shared data for the tests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A command that starts a program of this workspace, built beside this test.
pub fn program(name: &str) -> Command {
    let test = env::current_exe().expect("a running test has a path");
    // target/PROFILE/deps/it-HASH
    let folder = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/PROFILE/deps");
    let path = folder.join(name).with_extension(env::consts::EXE_EXTENSION);
    let release = if folder.ends_with("release") {
        " --release"
    } else {
        ""
    };
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --workspace --bins{release}`, or all tests with `cargo test --workspace{release}`",
        path.display()
    );
    let mut command = Command::new(path);
    command.env_remove("ALFWORLD_DATA").env("NO_COLOR", "1");
    command
}

/// An empty folder that goes when the test ends.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ran {
    command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"))
        .into()
}

/// Runs a command that must succeed, and returns what it printed.
pub fn succeed(command: &mut Command) -> String {
    let ran = run(command);
    assert_eq!(
        ran.code,
        Some(0),
        "{command:?}\n--- stdout\n{}\n--- stderr\n{}",
        ran.stdout,
        ran.stderr
    );
    ran.stdout
}

/// Runs a command that must fail with this exit code and give its reasons on stderr.
pub fn refuse(command: &mut Command, code: i32, reasons: &[&str]) {
    let ran = run(command);
    let said = &ran.stderr;
    assert_eq!(ran.code, Some(code), "{command:?}\n--- stderr\n{said}");
    for reason in reasons {
        assert!(
            said.contains(reason),
            "{command:?}\n`{reason}` is not in\n{said}"
        );
    }
    assert!(!said.contains("panicked"), "{command:?}\n{said}");
}

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the root")
}

/// The reference data (`$STRIDE_SHARED`, or `../shared` beside the checkout). Where it is absent the test says so and is
/// over; under `CI=true` it fails, because nothing may be skipped there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let shared =
        env::var_os("STRIDE_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    let file = shared.join(path);
    if file.exists() {
        return Some(file);
    }
    let why = format!(
        "{} is not here (STRIDE_SHARED names another place)",
        file.display()
    );
    assert_ne!(env::var("CI").as_deref(), Ok("true"), "{why}");
    println!("skipped: {why}");
    None
}
