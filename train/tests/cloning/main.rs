//! Whole runs of `stride-train bc`: a killed run resumes bit by bit, a stopped run says so, a copying task is learnt.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod adapters;
mod averages;
mod bench;
mod killing;

use std::process::Command;

use bench::{Bench, transition, wait_for};
use stride_agent::policy::Policy as _;
use stride_train::bc::state;
use stride_train::policy::CandlePolicy;
use stride_train::tensorboard;

#[cfg(unix)]
#[test]
fn a_terminated_run_saves_and_exits_cleanly() {
    let bench = Bench::new(100_000, "threads = 1");
    let mut child = bench.command("run", &[]).spawn().unwrap();
    wait_for(&bench.path("run").join(state::LAST), &mut child);
    let asked = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(asked.success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let step = bench.last("run").0;
    assert!(text.contains(&format!("stopped at step {step}")), "{text}");
}

#[test]
fn copying_is_learnt_exported_and_spoken() {
    let bench = Bench::new(1000, "");
    let text = bench.finish("run", &[]);
    let (record, _) = state::load(&bench.path("run").join(state::LAST)).unwrap();
    let exact = record.evaluation.unwrap().exact[1].unwrap();
    assert!(exact > 0.95, "exact match {exact}\n{text}");
    let page = std::fs::read_to_string(bench.path("run").join("report.html")).unwrap();
    assert!(page.contains("low, held out"));
    let events = tensorboard::read(&bench.path("run").join(tensorboard::EVENTS)).unwrap();
    let last = events.last().unwrap();
    assert_eq!(last.step, 1000);
    let score = last
        .scalars
        .iter()
        .find(|(name, _)| name == "held_out/exact/low");
    assert!((score.unwrap().1 - exact).abs() < 1e-6);

    let checkpoint = bench.path("checkpoint");
    let status = Command::new(env!("CARGO_BIN_EXE_stride-train"))
        .arg("export")
        .arg("--run")
        .arg(bench.path("run"))
        .arg("--out")
        .arg(&checkpoint)
        .output()
        .unwrap();
    assert!(status.status.success(), "{status:?}");
    let mut policy = CandlePolicy::load(&checkpoint).unwrap();
    let right = (0..100)
        .map(transition)
        .filter(|t| policy.utter(&t.state.as_frame()).unwrap().text == t.utterance)
        .count();
    assert!(right >= 95, "{right} of 100");
}

#[test]
fn mistakes_are_refused_by_name() {
    let bench = Bench::new(10, "");
    let refused = |run: &str, more: &[&str]| -> String {
        let output = bench.command(run, more).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    bench.finish("run", &[]);
    assert!(refused("run", &[]).contains("already holds a run"));
    std::fs::write(
        bench.path("data.jsonl"),
        serde_json::to_string(&transition(1)).unwrap() + "\n",
    )
    .unwrap();
    assert!(refused("run", &["--resume"]).contains("other data files"));
    std::fs::write(bench.path("data.jsonl"), "{}\n").unwrap();
    assert!(refused("new", &[]).contains("data.jsonl, line 1"));
    std::fs::write(bench.path("config.toml"), "[run]\nstep = 1\n").unwrap();
    assert!(refused("new", &[]).contains("unknown field `step`"));
}
