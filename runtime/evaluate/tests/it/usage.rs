//! Help texts and usage errors.

use crate::run;

#[test]
fn help_shows_examples_worlds_and_exit_codes() {
    for command in ["play", "run", "bench", "soak", "replay", "bench-world"] {
        let (code, help, _) = run(&[command, "--help"]);
        assert_eq!(code, Some(0));
        for part in [
            &format!("stride-eval {command} "),
            "Example",
            "household:FROM..TO",
            "Exit codes: 0 ok",
        ] {
            assert!(help.contains(part), "`{part}` is not in\n{help}");
        }
    }
    let (_, help, _) = run(&["--help"]);
    assert!(
        help.contains("bench-world") && help.contains("Exit codes"),
        "{help}"
    );
    let (_, help, _) = run(&["run", "--help"]);
    assert!(help.contains("marked PARTIAL"), "{help}");
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [
        &["run"][..],
        &["play", "--policy", "p.gguf", "--world", "moon:1"],
        &["run", "--policy", "p.gguf", "--world", "household:5..5"],
        &[
            "run",
            "--policy",
            "p.gguf",
            "--world",
            "household:1",
            "--jobs",
            "0",
        ],
        &[
            "run",
            "--policy",
            "p.gguf",
            "--world",
            "household:1",
            "--max-actions",
            "0",
        ],
        &[
            "run",
            "--policy",
            "p.gguf",
            "--world",
            "household:1",
            "--temperature",
            "-1",
        ],
        &[
            "run",
            "--policy",
            "p.gguf",
            "--world",
            "household:1",
            "--games",
            "1",
            "--sample",
            "1",
        ],
        &["dance"],
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}\n{stderr}");
        assert!(
            stdout.is_empty() && stderr.starts_with("error:"),
            "{arguments:?}\n{stderr}"
        );
    }
}

#[test]
fn failures_are_1_and_name_what_failed() {
    for (arguments, reason) in [
        (
            &["run", "--policy", "absent.gguf", "--world", "household:1"][..],
            "absent.gguf",
        ),
        (
            &["run", "--policy", "p", "--world", "alfworld:absent"],
            "absent",
        ),
        (
            &[
                "run",
                "--policy",
                "p",
                "--world",
                "household:1",
                "--games",
                "0",
            ],
            "no games to play",
        ),
        (
            &["play", "--policy", "p", "--world", "household:0..9"],
            "holds 9 games and play wants one",
        ),
        (
            &["replay", "--world", "household:1", "--transcripts", "t"],
            "replay wants alfworld:PATH or scienceworld",
        ),
    ] {
        let (code, _, stderr) = run(arguments);
        assert_eq!(code, Some(1), "{arguments:?}\n{stderr}");
        assert!(
            stderr.starts_with("stride-eval: ") && stderr.contains(reason),
            "{arguments:?}\n{stderr}"
        );
    }
}
