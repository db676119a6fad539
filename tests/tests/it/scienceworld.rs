//! ScienceWorld in its real simulator: episodes, a JVM that fails, transcripts, times.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use stride_environments::scienceworld::Settings;

use crate::support::{folder, program, refuse, root, run, shared, succeed};

/// Whether the simulator and Java are here. Where they are not the test says so and is over; under CI it fails.
pub fn simulator() -> bool {
    let Err(why) = Settings::find() else {
        return true;
    };
    let ci = std::env::var("CI").unwrap_or_default();
    assert!(!matches!(&*ci, "1" | "true"), "{why}");
    println!("skipped: {why}");
    false
}

/// Some policy of the right format; none of the assertions here asks it to be good.
fn policy() -> Option<PathBuf> {
    let entries = std::fs::read_dir(root().join("models")).ok()?;
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "gguf"))
        .collect();
    found.sort();
    if found.is_empty() {
        println!("skipped: models/ holds no policy yet");
    }
    found.into_iter().next()
}

fn transcripts() -> Option<PathBuf> {
    shared("scienceworld/expert-train.jsonl.zst").filter(|_| simulator())
}

fn eval(command: &str, policy: &Path, world: &str, most: &str) -> Command {
    let mut eval = program("stride-eval");
    eval.arg(command).arg("--policy").arg(policy);
    eval.args(["--threads", "1", "--world", world, "--max-actions", most]);
    eval
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn episodes_are_scored() {
    let (true, Some(policy)) = (simulator(), policy()) else {
        return;
    };
    let folder = folder();
    let (json, html) = (folder.path().join("r.json"), folder.path().join("r.html"));
    let table = succeed(
        eval("run", &policy, "scienceworld:dev", "2")
            .args(["--sample", "3", "--seed", "1", "--jobs", "2", "--json"])
            .arg(&json)
            .arg("--html")
            .arg(&html),
    );
    assert!(
        table.contains("\nscore    ") && table.contains("simulator's own limit"),
        "{table}"
    );
    let report = read(&json);
    let episodes = report["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 3);
    assert_eq!(report["settings"]["graded"], true);
    let mut sum = 0.0;
    for episode in episodes {
        assert!(
            episode["game"]
                .as_str()
                .unwrap()
                .starts_with("scienceworld:")
        );
        let score = episode["score"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&score), "{episode}");
        // Two actions are 22 of the simulator's 50 moves at most.
        assert_eq!(episode["score_at_move_limit"], episode["score"]);
        sum += score;
    }
    let mean = report["summary"]["score"]["mean"]["mean"].as_f64().unwrap();
    assert!((mean - sum / 3.0).abs() < 1e-9, "{mean} {sum}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("mean score of 100") && page.contains("Not won: "));
    assert!(!page.contains("<script"));
}

#[test]
fn one_episode_is_shown() {
    let (true, Some(policy)) = (simulator(), policy()) else {
        return;
    };
    // Nothing boils within two actions.
    let ran = run(&mut eval("play", &policy, "scienceworld:boil/0", "2"));
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("task     boil water"), "{}", ran.stdout);
    let last = ran.stdout.trim_end().lines().last().unwrap();
    assert!(
        last.starts_with("lost: not done after 2 actions, the limit; score "),
        "{last}"
    );
}

/// A JVM that cannot be used costs its episode; the next one gets another JVM.
#[cfg(unix)]
#[test]
fn a_failed_jvm_costs_one_episode() {
    use std::os::unix::fs::PermissionsExt as _;

    let (true, Some(policy)) = (simulator(), policy()) else {
        return;
    };
    let folder = folder();
    let java = std::env::var_os("JAVA_HOME").map_or_else(
        || PathBuf::from("java"),
        |home| PathBuf::from(home).join("bin/java"),
    );
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\nmark='{}'\ncase \"$*\" in *-version*) ;; *) [ -e \"$mark\" ] || {{ : > \"$mark\"; exit 3; }} ;; esac\nexec '{}' \"$@\"\n",
        folder.path().join("failed").display(),
        java.display()
    );
    std::fs::write(bin.join("java"), script).unwrap();
    std::fs::set_permissions(bin.join("java"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let json = folder.path().join("r.json");
    let ran = run(eval("run", &policy, "scienceworld:dev/find-plant", "1")
        .env("JAVA_HOME", folder.path())
        .args(["--games", "3", "--json"])
        .arg(&json));
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let report = read(&json);
    assert_eq!(report["partial"], false);
    let ends = &report["summary"]["ends"];
    assert_eq!(ends["error"], 1, "{ends}");
    let episodes = report["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 3);
    assert_eq!(episodes[0]["end"]["kind"], "error");
    assert_eq!(episodes[0]["end"]["origin"], "world");
    assert!(
        episodes[1..].iter().all(|episode| episode["steps"] == 1),
        "{}",
        ran.stdout
    );
}

#[test]
fn transcripts_are_repeated_and_changes_are_found() {
    let Some(transcripts) = transcripts() else {
        return;
    };
    let replay = |file: &Path, more: &[&str]| {
        let mut command = program("stride-eval");
        command.args(["replay", "--world", "scienceworld", "--transcripts"]);
        command.arg(file).args(more);
        command
    };
    let printed = succeed(&mut replay(
        &transcripts,
        &["--games", "3", "--every", "400"],
    ));
    let last = printed.lines().last().unwrap();
    assert!(last.ends_with("in 3 games: 0 mismatches"), "{printed}");

    let all = zstd::Decoder::new(std::fs::File::open(transcripts).unwrap()).map(|mut decoder| {
        decoder.window_log_max(27).unwrap();
        std::io::BufRead::lines(std::io::BufReader::new(decoder)).next()
    });
    let first = all.unwrap().unwrap().unwrap();
    let mut changed: Value = serde_json::from_str(&first).unwrap();
    changed["steps"][0]["score"] = 77.into();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, changed.to_string()).unwrap();
    let ran = run(&mut replay(file.path(), &[]));
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("  - 77\n"), "{}", ran.stdout);
    assert!(
        ran.stdout.trim_end().ends_with("in 1 games: 1 mismatches"),
        "{}",
        ran.stdout
    );
    std::fs::write(&file, "{\"task\": 3}\n").unwrap();
    refuse(&mut replay(file.path(), &[]), 1, &["line 1"]);
}

#[test]
fn recorded_actions_are_timed() {
    let Some(transcripts) = transcripts() else {
        return;
    };
    let folder = folder();
    let json = folder.path().join("bench.json");
    let mut bench = program("stride-eval");
    bench.args(["bench-world", "--world", "scienceworld"]);
    refuse(&mut bench, 1, &["--transcripts"]);
    bench.arg("--transcripts").arg(&transcripts);
    bench.args(["--games", "2", "--every", "600", "--json"]);
    let table = succeed(bench.arg(&json));
    assert!(
        table.contains("step") && !table.contains("official"),
        "{table}"
    );
    let figures = read(&json);
    assert_eq!(figures["games"], 2);
    assert_eq!(figures["load_ms"]["count"], 2);
    assert_eq!(figures["peer"], Value::Null);
}

#[test]
fn a_missing_simulator_says_what_to_run() {
    let mut command = eval("run", Path::new("absent.gguf"), "scienceworld:dev", "1");
    refuse(
        command.env("SCIENCEWORLD_JAR", "/nonexistent/s.jar"),
        1,
        &["/nonexistent/s.jar", "make scienceworld"],
    );
}
