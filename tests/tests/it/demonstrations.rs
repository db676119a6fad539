//! A few demonstrations of household games, for tests that train.

use std::fmt::Write as _;
use std::path::Path;

use stride_agent::agent::Limits;
use stride_agent::episode;
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::recorder::Recorder;
use stride_agent::transition::{EndKind, Source, Transition};
use stride_agent::utterance::format_low;
use stride_environments::household::{Household, HouseholdEnvironment};
use stride_firmware_config::frame::StepFrame;

/// Follows a walkthrough, two actions a subtask. It knows where things are: good enough to train on, too good to be true.
struct Guided {
    commands: Vec<String>,
    next: usize,
}

impl Policy for Guided {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        Ok(Utterance::free(match frame {
            StepFrame::High { .. } => format!("do `{}` and what follows", self.commands[self.next]),
            StepFrame::Low { .. } => {
                self.next += 1;
                format_low(&self.commands[self.next - 1], self.next.is_multiple_of(2))
            }
            StepFrame::Progress { action, .. } => format!("{action} is done || [Done: {action}]"),
        }))
    }
}

/// The transitions of the household games of these seeds, all won.
pub fn transitions(seeds: std::ops::Range<u64>) -> Vec<Transition> {
    seeds.flat_map(demonstrate).collect()
}

fn demonstrate(seed: u64) -> Vec<Transition> {
    let mut policy = Guided {
        commands: Household::new(seed)
            .to_game()
            .unwrap()
            .walkthrough()
            .to_vec(),
        next: 0,
    };
    let mut recorder = Recorder::new(format!("household:{seed}"), Source::Expert);
    let mut world = HouseholdEnvironment::new(seed);
    let (report, agent) = episode::play(
        &mut world,
        &mut policy,
        &Limits::default(),
        50,
        &mut recorder,
    )
    .unwrap();
    assert_eq!(report.end, EndKind::Success, "household:{seed}");
    recorder.finish(&report, &agent)
}

/// Writes transitions as JSON Lines.
pub fn write(transitions: &[Transition], path: &Path) {
    let mut text = String::new();
    for transition in transitions {
        writeln!(text, "{}", serde_json::to_string(transition).unwrap()).unwrap();
    }
    std::fs::write(path, text).unwrap();
}
