//! A folder with data and settings for runs of a tiny network, and what tests do with them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use stride_agent::transition::{EndKind, FrameText, Source, Transition};
use stride_train::bc::state;
use stride_train::optimizer::OptimizerState;

/// A low-level decision whose answer copies two numbers from the observation.
pub fn transition(seed: u32) -> Transition {
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
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new(steps: u32, settings: &str) -> Self {
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

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, run: &str, more: &[&str]) -> Command {
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
    pub fn finish(&self, run: &str, more: &[&str]) -> String {
        let output = self.command(run, more).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
        text
    }

    pub fn last(&self, run: &str) -> (u64, OptimizerState) {
        let (record, state) = state::load(&self.path(run).join(state::LAST)).unwrap();
        (record.step, state)
    }
}

/// Waits until the run has written a file. A run that ends first fails the test, so this ends.
pub fn wait_for(path: &Path, child: &mut Child) {
    while !path.exists() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn assert_same_bits(a: &OptimizerState, b: &OptimizerState) {
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&a.weights), bits(&b.weights));
    assert_eq!(bits(&a.first), bits(&b.first));
    assert_eq!(bits(&a.second), bits(&b.second));
    assert_eq!(bits(&a.average), bits(&b.average));
}
