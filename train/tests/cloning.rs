//! Whole runs of `stride-train bc`: a killed run resumes bit by bit, a stopped run says so, a copying task is learnt.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stride_agent::policy::Policy as _;
use stride_agent::transition::{EndKind, FrameText, Source, Transition};
use stride_train::bc::state;
use stride_train::optimizer::OptimizerState;
use stride_train::policy::CandlePolicy;

/// A low-level decision whose answer copies two numbers from the observation.
fn transition(seed: u32) -> Transition {
    let mixed = seed.wrapping_mul(0x9E37_79B1) >> 8;
    let (object, spot) = (mixed % 7 + 1, mixed / 7 % 5 + 1);
    Transition {
        game: format!("test:{}", seed / 4),
        subtask_index: 0,
        step_index: seed % 4,
        state: FrameText::Low {
            scene: String::new(),
            observation: format!("On the desk {spot}, you see a mug {object}."),
            subtask: "take the mug".into(),
            progress: String::new(),
        },
        utterance: format!("take mug {object} from desk {spot}; True"),
        reward: 0.0,
        span: 1,
        done: false,
        next: None,
        source: Source::Expert,
        end: EndKind::Success,
    }
}

/// A folder with data and settings for runs of a tiny network.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(steps: u32, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines: String = (0..600)
            .map(|seed| serde_json::to_string(&transition(seed)).unwrap() + "\n")
            .collect();
        std::fs::write(folder.path().join("data.jsonl"), lines).unwrap();
        let config = format!(
            "[run]\nsteps = {steps}\nbatch_tokens = 600\nmicro_tokens = 200\nsave_every = 5\neval_every = 50\n{settings}\n\
             [tokenizer]\nvocab_size = 330\n\
             [data]\nheld_out = 0.1\n\
             [model]\nhidden = 32\nlayers = 2\nheads = 4\nkv_heads = 2\nffn = 64\nmax_positions = 128\n\
             [optimizer]\nlr = 0.01\nwarmup_steps = 10\nema_decay = 0.95\n"
        );
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, run: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stride-train"));
        command
            .arg("bc")
            .arg("--config")
            .arg(self.path("config.toml"))
            .arg("--data")
            .arg(self.path("data.jsonl"))
            .arg("--out")
            .arg(self.path(run))
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs to the end and returns what was printed.
    fn finish(&self, run: &str, more: &[&str]) -> String {
        let output = self.command(run, more).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        text
    }

    fn last(&self, run: &str) -> (u64, OptimizerState) {
        let (record, state) = state::load(&self.path(run).join(state::LAST)).unwrap();
        (record.step, state)
    }
}

fn wait_for(path: &Path, child: &mut Child) {
    let start = Instant::now();
    while !path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no checkpoint came"
        );
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn assert_same_bits(a: &OptimizerState, b: &OptimizerState) {
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&a.weights), bits(&b.weights));
    assert_eq!(bits(&a.first), bits(&b.first));
    assert_eq!(bits(&a.second), bits(&b.second));
    assert_eq!(bits(&a.average), bits(&b.average));
}

#[test]
fn a_killed_run_resumes_to_the_same_bits() {
    let bench = Bench::new(300, "threads = 2");
    bench.finish("whole", &[]);
    let mut child = bench.command("killed", &[]).spawn().unwrap();
    wait_for(&bench.path("killed").join(state::LAST), &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let stopped_at = bench.last("killed").0;
    assert!(stopped_at < 300, "killed too late: step {stopped_at}");
    // Another number of threads must not change a bit either.
    let text = bench.finish("killed", &["--resume", "--threads", "1"]);
    assert!(
        text.contains(&format!("resumed at  step {stopped_at}")),
        "{text}"
    );
    let (whole, resumed) = (bench.last("whole"), bench.last("killed"));
    assert_eq!((whole.0, resumed.0), (300, 300));
    assert_same_bits(&whole.1, &resumed.1);
}

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
    let page = std::fs::read_to_string(bench.path("run").join("loss.html")).unwrap();
    assert!(page.contains("low, held out"));

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
