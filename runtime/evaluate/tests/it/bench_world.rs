//! Measuring a world, which needs no policy.

use serde_json::Value;

use crate::run;

#[test]
fn measures_household_games() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("bench.json");
    let json = json.to_str().unwrap();
    let (code, table, _) = run(&[
        "bench-world",
        "--world",
        "household:0..9",
        "--games",
        "4",
        "--steps",
        "10",
        "--json",
        json,
    ]);
    assert_eq!(code, Some(0));
    assert!(
        table.contains("load") && table.contains("TextWorld 1.7"),
        "{table}"
    );
    let figures: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert_eq!(figures["games"], 4);
    assert_eq!(figures["step_ms"]["count"], 40);
    assert_eq!(figures["peer"]["load_s"], 0.72);
}

/// An interrupt between two games keeps what was measured.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupt_prints_what_there_is() {
    use std::process::Stdio;
    use std::time::Duration;

    let child = crate::stride_eval()
        .args([
            "bench-world",
            "--world",
            "household:0..1000000",
            "--steps",
            "20",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !catches_interrupts(child.id()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert_eq!(output.status.code(), Some(1), "{stdout}{stderr}");
    assert!(stdout.contains("PARTIAL: stopped after"), "{stdout}");
    assert!(
        stderr.contains("stopping after the current game"),
        "{stderr}"
    );
}

/// Whether the process has set a handler for SIGINT; before that, the signal would end it without a word.
#[cfg(target_os = "linux")]
fn catches_interrupts(process: u32) -> bool {
    const SIGINT: u64 = 1 << 1;
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    u64::from_str_radix(caught.unwrap().trim(), 16).unwrap() & SIGINT != 0
}
