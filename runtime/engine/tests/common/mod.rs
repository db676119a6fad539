//! A random policy, and frames as an agent would make them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use stride_agent::agent::Limits;
use stride_agent::event::Silent;
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::transition::FrameText;
use stride_convert::export;
use stride_convert::fixtures::RandomModel;
use stride_convert::quantize::Recipe;
use stride_convert::source::Checkpoint;
use stride_engine::{EngineOptions, KvType, LlamaPolicy, PerLevel};
use stride_environments::household::HouseholdEnvironment;
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::state::Completed;
use tempfile::TempDir;
use tokenizers::Tokenizer;

/// The directory of a policy with random weights, as `policy.gguf` beside its `tokenizer.json`; made once per process.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<TempDir> = OnceLock::new();
    // Quantized KV caches need heads of 32.
    DIRECTORY.get_or_init(|| random(2, 1, 32)).path()
}

/// The directory of a policy whose heads are too narrow for a quantized KV cache.
pub fn narrow() -> TempDir {
    random(4, 2, 16)
}

fn random(heads: usize, kv_heads: usize, head_dim: usize) -> TempDir {
    let directory = TempDir::new().unwrap();
    let mut model = RandomModel::default();
    (
        model.config.heads,
        model.config.kv_heads,
        model.config.head_dim,
    ) = (heads, kv_heads, head_dim);
    model.write(directory.path()).unwrap();
    export_in(directory.path());
    directory
}

fn export_in(directory: &Path) {
    let checkpoint = Checkpoint::open(directory).unwrap();
    let options = export::Options {
        recipe: Recipe::F32,
        replace: true,
    };
    export::export(&checkpoint, &directory.join("policy.gguf"), options, |_| {}).unwrap();
}

/// The directory of a policy that says of itself how many issued subtasks it reads.
pub fn reading(completed: u32) -> TempDir {
    let directory = random(2, 1, 32);
    let path = directory.path().join("stride.json");
    let mut card: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    card["capacities"]["completed"] = completed.into();
    std::fs::write(&path, card.to_string()).unwrap();
    export_in(directory.path());
    directory
}

/// A policy with random weights in F32.
pub fn policy_file() -> PathBuf {
    directory().join("policy.gguf")
}

/// Its tokenizer, told to leave markers inside texts alone, as the trainer must.
pub fn tokenizer() -> Tokenizer {
    let mut tokenizer = Tokenizer::from_file(directory().join("tokenizer.json")).unwrap();
    tokenizer.set_encode_special_tokens(true);
    tokenizer
}

/// Options for comparisons: nothing is rounded but the weights.
pub fn exact() -> EngineOptions {
    EngineOptions {
        kv_type: KvType::F32,
        utterance_caps: PerLevel::all(12),
        ..EngineOptions::default()
    }
}

pub fn load(options: EngineOptions) -> LlamaPolicy {
    LlamaPolicy::load(&policy_file(), options).unwrap()
}

const KINDS: [&str; 8] = [
    "drawer", "shelf", "cabinet", "fridge", "desk", "egg", "mug", "pen",
];

fn name(random: &mut ChaCha8Rng) -> String {
    let kind = KINDS.choose(random).unwrap();
    format!("{kind} {}", random.random_range(1..13))
}

/// Frames of one episode: each step asks progress and low with the same observation, now and then high.
pub fn episode(seed: u64, steps: usize) -> Vec<FrameText> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scene = "drawer 1 to 9, shelf 1 to 3, cabinet 2, cabinet 4, fridge 1, desk 1".to_owned();
    let mut completed = Completed::new();
    let mut frames = Vec::new();
    let mut subtask = "find an egg".to_owned();
    let mut progress = String::new();
    for step in 0..steps {
        let (place, thing, other) = (name(&mut random), name(&mut random), name(&mut random));
        let observation =
            format!("You arrive at {place}. On the {place}, you see a {thing}, and a {other}.");
        if step % 5 == 0 {
            frames.push(FrameText::High {
                scene: scene.clone(),
                observation: observation.clone(),
                task: format!("put a {} in the safe", KINDS[step % KINDS.len()]),
                completed: Box::new(completed.clone()),
                progress: progress.clone(),
            });
            subtask = format!("find the {thing}");
            completed.push(&subtask, 4);
        }
        frames.push(FrameText::Progress {
            scene: scene.clone(),
            observation: observation.clone(),
            subtask: subtask.clone(),
            progress: progress.clone(),
            action: format!("go to {place}"),
        });
        progress = format!("No egg so far, unchecked places remain || [Checked: {place}, {other}]");
        frames.push(FrameText::Low {
            scene: scene.clone(),
            observation,
            subtask: subtask.clone(),
            progress: progress.clone(),
        });
    }
    frames
}

/// The shipped policy for household worlds.
pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/stride-household-q8_0.gguf")
}

/// One call of an agent, and what the policy said.
pub struct Asked {
    pub frame: FrameText,
    pub said: String,
}

struct Kept<'a, P> {
    policy: &'a mut P,
    calls: Vec<Asked>,
}

impl<P: Policy> Policy for Kept<'_, P> {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        let said = self.policy.utter(frame)?;
        self.calls.push(Asked {
            frame: FrameText::from(frame),
            said: said.text.clone(),
        });
        Ok(said)
    }
}

/// Games from this seed on, a hundred at most.
pub fn household(agent: u64) -> impl Iterator<Item = HouseholdEnvironment> {
    (agent * 100..(agent + 1) * 100).map(HouseholdEnvironment::new)
}

/// The calls of one agent that plays real games until it has acted so often.
pub fn play<P: Policy>(
    policy: &mut P,
    games: &mut impl Iterator<Item = HouseholdEnvironment>,
    steps: u32,
) -> Vec<Asked> {
    let mut kept = Kept {
        policy,
        calls: Vec::new(),
    };
    let mut acted = 0;
    while acted < steps {
        let most = (steps - acted).min(50);
        let mut game = games.next().unwrap();
        let limits = Limits::default();
        let (report, _) =
            stride_agent::episode::play(&mut game, &mut kept, &limits, most, &mut Silent).unwrap();
        acted += report.steps;
    }
    kept.calls
}
