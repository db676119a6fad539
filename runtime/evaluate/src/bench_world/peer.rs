//! The official Python package of ScienceWorld, timed on the same recorded actions.

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::error::EvalError;
use crate::replay::Portion;

/// The script that plays through the official package.
const SCRIPT: &str = include_str!("../../../../benches/scienceworld_peer.py");
/// Bytes of its answer at most: one figure for each game.
const MOST_SAID: u64 = 1 << 20;
/// Without it the package's episodes differ from run to run (its lists are in the order of identity hashes).
const JAVA_OPTIONS: &str = "-XX:+UnlockExperimentalVMOptions -XX:hashCode=2";

/// What the script measured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Answer {
    pub games: usize,
    pub steps: usize,
    /// Seconds inside `load`.
    pub load_s: f64,
    /// Seconds inside `step`.
    pub seconds: f64,
    /// Each game's last score.
    #[serde(rename = "final")]
    pub scores: Vec<i32>,
}

/// Plays transcripts through the package that this Python has.
pub(super) fn play(
    python: &Path,
    jar: &Path,
    transcripts: &Path,
    portion: Portion,
) -> Result<Answer, EvalError> {
    let failed = |problem: String| EvalError::Peer {
        python: python.to_owned(),
        problem,
    };
    let count = portion.games.unwrap_or(usize::MAX >> 1).to_string();
    let every = portion.every.to_string();
    let mut child = Command::new(python)
        .args(["-c", SCRIPT, "--jar"])
        .arg(jar)
        .args([OsStr::new("--transcripts"), transcripts.as_os_str()])
        .args(["--games", &count, "--every", &every])
        .env("JAVA_TOOL_OPTIONS", JAVA_OPTIONS)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    let mut said = String::new();
    let read = match child.stdout.take() {
        Some(stdout) => stdout.take(MOST_SAID).read_to_string(&mut said),
        None => Ok(0),
    };
    let status = child
        .wait()
        .map_err(|error| failed(format!("is lost: {error}")))?;
    if !status.success() {
        return Err(failed(format!(
            "the official package did not play ({status}); install it there: pip install scienceworld==1.2.3"
        )));
    }
    read.map_err(|error| failed(format!("its answer cannot be read: {error}")))?;
    // The package may print lines of its own before the answer.
    let last = said.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|error| failed(format!("its answer is no figures: {error}")))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::num::NonZeroUsize;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Stands in for Python: what is tested is how its answer is taken.
    fn answer(script: &str) -> Result<Answer, String> {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python");
        std::fs::write(&python, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
        let portion = Portion {
            games: Some(1),
            every: NonZeroUsize::MIN,
        };
        let (jar, transcripts) = (Path::new("s.jar"), Path::new("t.jsonl"));
        play(&python, jar, transcripts, portion).map_err(|error| error.to_string())
    }

    #[test]
    fn takes_the_last_line_and_says_what_is_wrong() {
        let figures = r#"{"games": 1, "steps": 2, "load_s": 0.5, "seconds": 3, "final": [100]}"#;
        let taken = answer(&format!("echo chatter; echo '{figures}'")).unwrap();
        assert_eq!((taken.games, taken.steps, taken.seconds), (1, 2, 3.0));
        assert_eq!(taken.scores, [100]);
        assert!(answer("exit 3").unwrap_err().contains("pip install"));
        assert!(answer("echo nothing").unwrap_err().contains("no figures"));
        // The script itself, the jar and the portion are what Python gets.
        let arguments = r#"[ "$1" = -c ] && [ "$4 $5 $6" = "s.jar --transcripts t.jsonl" ] && [ "$7 $8 $9" = "--games 1 --every" ]"#;
        let taken = answer(&format!("{arguments} || exit 1; echo '{figures}'"));
        assert_eq!(taken.unwrap().games, 1);
    }
}
