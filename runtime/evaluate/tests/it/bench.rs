//! `bench`, `soak` and `measure` with the shipped policy: what they count, never how fast it was.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::{run, stride_eval};

fn policy() -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/stride-household-q8_0.gguf");
    path.to_str().unwrap().to_owned()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Runs a bench of household games and returns what it printed and its two files.
fn bench(arguments: &[&str]) -> (String, Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let (figures, page) = (folder.path().join("b.json"), folder.path().join("b.html"));
    let policy = policy();
    let mut all = vec!["bench", "--policy", &policy, "--threads", "1"];
    all.extend(arguments);
    let files: Vec<PathBuf> = vec![figures.clone(), page.clone()];
    all.extend([
        "--json",
        files[0].to_str().unwrap(),
        "--html",
        files[1].to_str().unwrap(),
    ]);
    let (code, stdout, stderr) = run(&all);
    assert_eq!(code, Some(0), "{stderr}\n{stdout}");
    (
        stdout,
        json(&figures),
        std::fs::read_to_string(page).unwrap(),
    )
}

#[test]
fn the_naive_agent_does_the_same_and_decodes_more() {
    let (text, report, page) = bench(&[
        "--world",
        "household:0..3",
        "--steps",
        "8",
        "--baseline",
        "naive",
        "--baseline-cache",
        "q8_0",
    ]);
    let [step, naive] = &report["contenders"].as_array().unwrap()[..] else {
        panic!("{report}");
    };
    assert_eq!(
        (&step["name"], &naive["name"]),
        (&"step".into(), &"naive".into())
    );
    for contender in [step, naive] {
        assert_eq!(contender["same"], contender["steps"], "{text}");
        assert!(contender["ended"]["resident"].as_u64() > Some(1 << 20));
        let share = contender["native_share"].as_f64().unwrap();
        assert!((0.1..1.0).contains(&share), "{share}");
    }
    let tokens = |of: &Value, name: &str| of["mean"][name].as_f64().unwrap();
    assert_eq!(
        tokens(step, "prompt_tokens"),
        tokens(naive, "prompt_tokens")
    );
    assert_eq!(tokens(naive, "cached_tokens"), 0.0);
    assert!(tokens(step, "cached_tokens") > 0.2 * tokens(step, "prompt_tokens"));
    assert!(tokens(step, "decode_calls") > tokens(step, "calls"));
    // Three episodes reach the first step.
    assert_eq!(step["by_step"][0]["count"], 3);
    assert!(
        text.contains("baseline over step") && text.contains("actions as recorded"),
        "{text}"
    );
    assert!(page.contains("<polyline class=\"line second\"") && page.contains("naive"));
    for outside in ["<script", "src=", "href=", "http://", "https://"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_history_grows_and_is_always_found_in_the_cache() {
    let (text, report, _) = bench(&[
        "--world",
        "household:5",
        "--steps",
        "30",
        "--actions",
        "random",
        "--whole",
        "--games",
        "1",
        "--baseline",
        "history",
    ]);
    let history = &report["contenders"][1];
    assert_eq!(history["name"], "history");
    assert_eq!(history["steps"], 30, "{text}");
    let rows = history["by_step"].as_array().unwrap();
    assert_eq!(rows.len(), 30);
    // Of a step only the new observation and the action are decoded, however long the history is.
    let (early, late) = (rows[1]["tokens"].as_f64(), rows[29]["tokens"].as_f64());
    assert!(
        late < Some(200.0) && early < Some(200.0),
        "{early:?} {late:?}"
    );
    let tokens = history["history_tokens"].as_u64().unwrap();
    assert!(tokens > 600, "{tokens}");
    let mean = history["mean"]["prompt_tokens"].as_f64().unwrap();
    let cached = history["mean"]["cached_tokens"].as_f64().unwrap();
    assert!(cached > 0.8 * mean, "{cached} of {mean}");
}

#[test]
fn a_patrol_sees_the_same_in_every_round() {
    let (text, report, _) = bench(&[
        "--world",
        "household:3",
        "--steps",
        "40",
        "--actions",
        "patrol",
        "--whole",
    ]);
    assert!(text.contains("actions by a patrol"), "{text}");
    let rows = report["contenders"][0]["by_step"].as_array().unwrap();
    let tokens = |steps: std::ops::Range<usize>| -> f64 {
        let rows = &rows[steps];
        rows.iter().map(|row| row["tokens"].as_f64().unwrap()).sum()
    };
    assert_eq!(rows.len(), 40);
    // The policy has stopped learning anything new.
    let (third, last) = (tokens(20..30), tokens(30..40));
    assert!((last / third - 1.0).abs() < 0.3, "{third} {last}");
}

#[test]
fn a_soak_reports_memory_at_even_marks() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("soak.json");
    let (code, stdout, stderr) = run(&[
        "soak",
        "--policy",
        &policy(),
        "--threads",
        "1",
        "--world",
        "household:0..2",
        "--steps",
        "100",
        "--json",
        out.to_str().unwrap(),
        "--most-growth",
        "100000000",
    ]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("growth of anonymous memory"), "{stdout}");
    let report = json(&out);
    assert_eq!(
        (&report["steps"], &report["differences"]),
        (&100.into(), &0.into())
    );
    let marks = report["marks"].as_array().unwrap();
    assert_eq!(marks.len(), 100);
    assert_eq!(marks[99]["step"], 100);
    // What did not grow by a negative amount has grown too much.
    let (code, ..) = run(&[
        "soak",
        "--policy",
        &policy(),
        "--threads",
        "1",
        "--world",
        "household:0",
        "--steps",
        "100",
        "--most-growth=-1000000000",
    ]);
    assert_eq!(code, Some(1));
}

#[test]
fn measuring_fills_the_profile_and_the_next_time_tells_what_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kiosk.toml");
    let text = "# ours\nname = \"kiosk\"\n[inference]\nbatch_tokens = 64 # small\n";
    std::fs::write(&file, text).unwrap();
    let measure = || {
        run(&[
            "measure",
            "--policy",
            &policy(),
            "--profile",
            file.to_str().unwrap(),
            "--world",
            "household:0",
            "--steps",
            "2",
            "--most-threads",
            "1",
        ])
    };
    let (code, first, stderr) = measure();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        first.contains("for the first time") && first.contains("probe weight-layouts"),
        "{first}"
    );
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.starts_with(text) && written.contains("[measured]"),
        "{written}"
    );
    assert!(written.contains("[[measured.runs]]"), "{written}");
    let (code, second, stderr) = measure();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        !second.contains("for the first time") && second.contains(" %"),
        "{second}"
    );
    // The profile still plays, under what was measured.
    let (code, _, stderr) = run(&[
        "run",
        "--policy",
        &policy(),
        "--profile",
        file.to_str().unwrap(),
        "--world",
        "household:0",
        "--max-actions",
        "2",
    ]);
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, stderr) = run(&[
        "measure",
        "--policy",
        &policy(),
        "--profile",
        "raspberry-pi-5",
    ]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("--dry-run"), "{stderr}");
}

/// Every setting has a process of its own, and no more of them are there than the profile's memory holds.
#[test]
#[cfg(target_os = "linux")]
fn measuring_keeps_to_the_memory_of_the_profile() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.toml");
    let most_at_once = |mebibytes: u32| {
        let text = format!(
            "[inference]\nthreads = 1\n[memory]\nbudget_bytes = {}\n",
            mebibytes << 20
        );
        std::fs::write(&file, text).unwrap();
        let mut measuring = stride_eval()
            .args(["measure", "--policy", &policy(), "--profile"])
            .arg(&file)
            .args(["--world", "household:0", "--steps", "2"])
            .args(["--most-threads", "1", "--dry-run"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", measuring.id());
        let mut most = 0;
        while measuring.try_wait().unwrap().is_none() {
            let now = std::fs::read_to_string(&children).unwrap_or_default();
            most = most.max(now.split_whitespace().count());
            std::thread::sleep(Duration::from_millis(1));
        }
        let measured = measuring.wait_with_output().unwrap();
        assert!(measured.status.success());
        let shown = String::from_utf8(measured.stdout).unwrap();
        let rows = shown
            .lines()
            .filter(|line| line.trim_start().starts_with("1 "));
        (most, rows.count())
    };
    // Four batches with one thread, whatever the memory.
    assert_eq!((most_at_once(1024), most_at_once(45)), ((4, 4), (1, 4)));
    assert_eq!(most_at_once(45), (1, 4));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let (code, _, stderr) = run(&[
        "bench",
        "--policy",
        &policy(),
        "--world",
        "household:0",
        "--temperature",
        "1",
    ]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("greedy"), "{stderr}");
    let (code, _, stderr) = run(&[
        "bench",
        "--policy",
        "/no/policy.gguf",
        "--world",
        "household:0",
    ]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/no/policy.gguf"), "{stderr}");
}

#[test]
fn gpu_layers_without_a_gpu_are_computed_on_the_cpu_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("gpu.toml");
    std::fs::write(&profile, "name = \"gpu\"\n[inference]\ngpu_layers = 99\n").unwrap();
    let (code, stdout, stderr) = run(&[
        "run",
        "--policy",
        &policy(),
        "--profile",
        profile.to_str().unwrap(),
        "--world",
        "household:0",
        "--threads",
        "1",
        "--max-actions",
        "2",
    ]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("all"), "{stdout}");
    if !cfg!(any(
        feature = "cuda",
        feature = "vulkan",
        feature = "metal",
        target_os = "macos"
    )) {
        assert!(
            stderr.contains("99 GPU layers") && stderr.contains("on the CPU"),
            "{stderr}"
        );
    }
}
