//! Whole runs of `stride-train rl`: the better of two logged behaviours is found, a killed run resumes bit by bit.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stride_agent::policy::Policy as _;
use stride_agent::transition::{EndKind, FrameText, Source, Transition};
use stride_train::bc::state;
use stride_train::policy::CandlePolicy;
use stride_train::rl::report::Line;

fn state(observation: String) -> FrameText {
    FrameText::Low {
        scene: String::new(),
        observation,
        subtask: "find the treasure".into(),
        progress: String::new(),
    }
}

fn fork(number: u32) -> FrameText {
    state(format!(
        "You stand at a fork. The sign says {}.",
        number % 9
    ))
}

fn room(number: u32) -> FrameText {
    state(format!(
        "A room with a chest. The sign says {}.",
        number % 9
    ))
}

fn transition(number: u32, state: FrameText, utterance: &str) -> Transition {
    Transition {
        game: format!("test:{number}"),
        subtask_index: 0,
        step_index: 0,
        state,
        utterance: utterance.into(),
        reward: 0.0,
        span: 1,
        done: true,
        next: None,
        source: Source::Policy,
        end: EndKind::Failure,
    }
}

/// What two behaviours were seen to do at a fork. Seven of ten go left, where nothing is. Three of ten go right, which pays
/// nothing by itself; the reward comes a step later.
fn logged(number: u32) -> Vec<Transition> {
    if number % 10 < 7 {
        return vec![transition(number, fork(number), "go left; False")];
    }
    let right = Transition {
        done: false,
        next: Some(room(number)),
        end: EndKind::Success,
        ..transition(number, fork(number), "go right; False")
    };
    let open = Transition {
        reward: 1.0,
        end: EndKind::Success,
        ..transition(number, room(number), "open chest; True")
    };
    vec![right, open]
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A folder with data and a policy that was cloned from them.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines: String = (0..400)
            .flat_map(logged)
            .map(|transition| serde_json::to_string(&transition).unwrap() + "\n")
            .collect();
        std::fs::write(folder.path().join("data.jsonl"), lines).unwrap();
        let shared =
            "[data]\nheld_out = 0.0\n[optimizer]\nlr = 0.01\nwarmup_steps = 10\nema_decay = 0.95\n";
        let run = "batch_tokens = 600\nmicro_tokens = 200\nsave_every = 5\nthreads = 2\n";
        let bc = format!(
            "[run]\nsteps = 150\n{run}[tokenizer]\nvocab_size = 330\n\
             [model]\nhidden = 32\nlayers = 2\nheads = 4\nkv_heads = 2\nffn = 64\nmax_positions = 128\n{shared}"
        );
        std::fs::write(folder.path().join("bc.toml"), bc).unwrap();
        let rl = format!(
            "[run]\nsteps = 150\n{run}[critics]\nsteps = 600\nbatch = 64\nlr = 0.002\npolyak = 0.02\nsave_every = 20\nlog_every = 20\n{shared}"
        );
        std::fs::write(folder.path().join("rl.toml"), rl).unwrap();
        let bench = Self { folder };
        bench.finish(bench.command("bc", "cloned", &[]));
        bench.export("cloned");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, stage: &str, run: &str, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stride-train"));
        command.arg(stage);
        // A run that goes on has its settings in its folder.
        if !more.contains(&"--resume") {
            command
                .arg("--config")
                .arg(self.path(&format!("{stage}.toml")));
        }
        command
            .arg("--data")
            .arg(self.path("data.jsonl"))
            .arg("--out")
            .arg(self.path(run))
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn second_stage(&self, run: &str, more: &[&str]) -> Command {
        self.second_stage_from("cloned-policy", run, more)
    }

    fn second_stage_from(&self, policy: &str, run: &str, more: &[&str]) -> Command {
        let mut command = self.command("rl", run, more);
        command.arg("--init").arg(self.path(policy));
        command
    }

    fn finish(&self, mut command: Command) -> String {
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        text
    }

    fn export(&self, run: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stride-train"));
        command
            .args(["export", "--last", "--run"])
            .arg(self.path(run))
            .arg("--out")
            .arg(self.path(&format!("{run}-policy")));
        self.finish(command);
    }

    /// What an exported policy says in a state.
    fn says(&self, run: &str, state: &FrameText) -> String {
        let mut policy = CandlePolicy::load(&self.path(&format!("{run}-policy"))).unwrap();
        policy.utter(&state.as_frame()).unwrap().text
    }
}

#[test]
fn the_better_of_two_logged_behaviours_is_found() {
    let bench = Bench::new();
    assert_eq!(bench.says("cloned", &fork(3)), "go left; False");
    let printed = bench.finish(bench.second_stage("weighed", &[]));
    assert!(printed.contains("advantage"), "{printed}");
    bench.export("weighed");
    for number in 0..9 {
        assert_eq!(bench.says("weighed", &fork(number)), "go right; False");
        assert_eq!(bench.says("weighed", &room(number)), "open chest; True");
    }
    // What chose were the critics: the same data, weighed alike, say what was said most.
    bench.finish(bench.second_stage("alike", &["--weigh-by", "uniform"]));
    bench.export("alike");
    assert_eq!(bench.says("alike", &fork(3)), "go left; False");
    let lines = std::fs::read_to_string(bench.path("weighed").join("critics.jsonl")).unwrap();
    let last: Line = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let Line::Advantages { levels, .. } = last else {
        panic!("{last:?}");
    };
    assert!(levels[0].is_none() && levels[2].is_none());
    let low = levels[1].clone().unwrap();
    assert_eq!((low.rows, low.learnt), (520, 520));
    assert!(low.error < 0.2, "{low:?}");
    assert!(low.by_end[0] > low.by_end[1], "{low:?}");
}

#[test]
fn a_run_killed_in_either_half_resumes_to_the_same_bits() {
    let bench = Bench::new();
    bench.finish(bench.second_stage("whole", &[]));
    kill_when(
        bench.second_stage("killed", &[]),
        &bench.path("killed/critics.safetensors"),
    );
    assert!(!bench.path("killed/last.safetensors").exists());
    let refused = bench.second_stage("killed", &[]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("resume"));
    kill_when(
        bench.second_stage("killed", &["--resume"]),
        &bench.path("killed/last.safetensors"),
    );
    bench.finish(bench.second_stage("killed", &["--resume"]));
    let lines = |run: &str| std::fs::read_to_string(bench.path(run).join("critics.jsonl")).unwrap();
    assert_eq!(lines("whole"), lines("killed"));
    let last = |run: &str| state::load(&bench.path(run).join(state::LAST)).unwrap();
    let ((whole, weights), (killed, resumed)) = (last("whole"), last("killed"));
    assert_eq!((whole.step, killed.step), (150, 150));
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&weights.weights), bits(&resumed.weights));
    assert_eq!(bits(&weights.second), bits(&resumed.second));
    assert_eq!(bits(&weights.average), bits(&resumed.average));
    // Other weights than those it was trained with so far are refused.
    let other = ["--resume", "--weigh-by", "success"];
    let refused = bench.second_stage("killed", &other).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("other settings"));
    // So is another policy than the one that the critics judged; neither changes what the run goes on with.
    bench.export("whole");
    let other = bench.second_stage_from("whole-policy", "killed", &["--resume"]);
    let refused = { other }.output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another checkpoint"));
    bench.finish(bench.second_stage("killed", &["--resume"]));
}

fn kill_when(mut command: Command, path: &Path) {
    let mut child = command.spawn().unwrap();
    wait_for(path, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn wait_for(path: &Path, child: &mut Child) {
    let start = Instant::now();
    while !path.exists() {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{} did not come",
            path.display()
        );
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(5));
    }
}
