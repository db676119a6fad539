//! A world and a policy for this crate's own tests: a corridor, walked to its end.

use stride_agent::agent::{Limits, StepAgent};
use stride_agent::environment::{Environment, EnvironmentError, Opening, Outcome};
use stride_agent::episode::{self, EpisodeReport};
use stride_agent::event::Observer;
use stride_agent::policy::{Cost, Policy, PolicyError, Utterance};
use stride_firmware_config::frame::StepFrame;

use crate::episode::{Rules, measure};
use crate::run::report::{PolicyFile, Report, Settings};
use crate::world::{Game, GameLabel};

/// A corridor that is won by the action number `length`.
pub struct Corridor {
    length: u32,
    walked: u32,
}

impl Corridor {
    pub fn new(length: u32) -> Self {
        Self { length, walked: 0 }
    }
}

impl Environment for Corridor {
    fn reset(&mut self) -> Result<Opening, EnvironmentError> {
        self.walked = 0;
        Ok(Opening {
            task: "reach the end".into(),
            scene: String::new(),
            observation: "You stand at 0.".into(),
        })
    }

    fn step(&mut self, _action: &str) -> Result<Outcome, EnvironmentError> {
        self.walked += 1;
        let won = self.walked == self.length;
        Ok(Outcome {
            observation: format!("You stand at {}.", self.walked),
            reward: f32::from(u8::from(won)),
            score: f32::from(u8::from(won)),
            done: won,
            won,
            invalid: false,
        })
    }
}

impl Game for Corridor {}

/// Walks in subtasks of two actions. Each call costs 10 prompt tokens, half of them cached, and 1 generated.
pub struct Walker;

impl Policy for Walker {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        let text = match frame {
            StepFrame::High { .. } => "walk on".to_owned(),
            StepFrame::Progress { progress, .. } => format!("{progress}."),
            StepFrame::Low { progress, .. } => format!(
                "walk; {}",
                if progress.is_empty() { "False" } else { "True" }
            ),
        };
        Ok(Utterance {
            text,
            cost: Cost {
                prompt_tokens: 10,
                decoded_tokens: 5,
                generated_tokens: 1,
                ..Cost::default()
            },
        })
    }
}

/// Plays a corridor of this length, at most 50 actions.
pub fn play(length: u32, observer: &mut dyn Observer) -> (EpisodeReport, StepAgent) {
    episode::play(
        &mut Corridor::new(length),
        &mut Walker,
        &Limits::default(),
        50,
        observer,
    )
    .unwrap()
}

/// The report of corridors of these lengths, at most 50 actions each.
pub fn report(lengths: &[u32], games: usize, graded: bool) -> Report {
    let rules = Rules {
        limits: Limits::default(),
        max_actions: 50,
        record: false,
    };
    let play = |&length: &u32| {
        let label = GameLabel::new(format!("corridor:{length}"), "walk");
        measure(&label, &mut Corridor::new(length), &mut Walker, &rules).0
    };
    let policy = PolicyFile {
        path: "w.gguf".into(),
        bytes: 3 << 20,
        sha256: "0123456789abcdef".repeat(4),
    };
    let settings = Settings {
        world: "corridor".into(),
        games,
        max_actions: 50,
        form: stride_agent::form::Form::Hierarchical,
        constrained: false,
        temperature: crate::temperature::Temperatures::GREEDY,
        seed: 0,
        threads: 2,
        jobs: 1,
        graded,
        prompt_budget: 832,
        kernels: vec!["AVX2".into()],
        command: "stride-eval run".into(),
    };
    Report::new(
        policy,
        settings,
        Some(1 << 20),
        lengths.iter().map(play).collect(),
    )
}
