//! Relabelling (DAgger): what would the expert have said in the states that somebody else reached?
//!
//! The experts are functions of the frame, so any recorded transition can be labelled, without its world: those of `stride-train
//! collect` and those of a device's transition log alike. A label is for cloning: the reward and the next state belong to what
//! was said before, so they are not kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use stride_agent::transition::Transition;

use crate::collect::world::is_training_game;
use crate::data;
use crate::demonstrate::parts::LineWriter;
use crate::demos::Teacher as _;
use crate::error::Result;
use crate::expert::Expert;
use crate::scienceworld;

/// Labels frames of every world that has an expert.
#[derive(Debug)]
pub struct Labeller {
    /// For ALFWorld and the household world; it has learnt where things are found. `None` leaves their frames out.
    pub household: Option<Expert>,
    /// Edited copies of each ScienceWorld transition (names exchanged), labelled as well.
    pub variants: u32,
    /// Seed of the copies.
    pub seed: u64,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RelabelReport {
    /// Transitions read.
    pub read: u64,
    /// Of these, frames that stood in the files before and are left out.
    pub repeated: u64,
    /// Frames of games that are not for training, left out.
    pub foreign: u64,
    /// Frames that no expert here knows, left out.
    pub unknown: u64,
    /// Frames in which the expert says what was said.
    pub agreed: u64,
    /// Transitions written, copies with other names among them.
    pub written: u64,
}

impl Labeller {
    fn label(&self, transition: &Transition) -> Option<String> {
        let frame = transition.state.as_frame();
        if transition.game.starts_with("scienceworld:") {
            scienceworld::Expert.label(&frame).ok()
        } else {
            self.household.as_ref()?.label(&frame).ok()
        }
    }
}

/// Labels the transitions of files and writes them to `out` (JSON Lines, compressed with zstd when it ends in `.zst`).
///
/// # Errors
/// When a file cannot be read or written, or a line is not a transition.
pub fn relabel(files: &[PathBuf], labeller: &Labeller, out: &Path) -> Result<RelabelReport> {
    let mut report = RelabelReport::default();
    let mut seen = BTreeSet::new();
    let mut writer = LineWriter::create(out)?;
    let mut rng = ChaCha8Rng::seed_from_u64(labeller.seed);
    for file in files {
        // What is exchanged in a copy is exchanged in the whole game.
        let mut game: Vec<Transition> = Vec::new();
        data::visit(file, |_, transition| {
            report.read += 1;
            if !is_training_game(&transition.game) {
                report.foreign += 1;
                return Ok(());
            }
            let mut frame = Sha256::new();
            frame.update(format!("{:?}", transition.state));
            if !seen.insert(frame.finalize()) {
                report.repeated += 1;
                return Ok(());
            }
            let Some(label) = labeller.label(&transition) else {
                report.unknown += 1;
                return Ok(());
            };
            report.agreed += u64::from(label == transition.utterance);
            let labelled = Transition {
                game: transition.game,
                subtask_index: transition.subtask_index,
                step_index: transition.step_index,
                ..Transition::for_cloning(transition.state, label)
            };
            if game.last().is_some_and(|last| last.game != labelled.game) {
                flush(&mut game, labeller, &mut rng, &mut writer, &mut report)?;
            }
            game.push(labelled);
            Ok(())
        })?;
        flush(&mut game, labeller, &mut rng, &mut writer, &mut report)?;
    }
    writer.finish()?;
    Ok(report)
}

/// Writes the labelled transitions of one game, then their copies.
fn flush(
    game: &mut Vec<Transition>,
    labeller: &Labeller,
    rng: &mut ChaCha8Rng,
    writer: &mut LineWriter,
    report: &mut RelabelReport,
) -> Result<()> {
    let is_scienceworld = game
        .first()
        .is_some_and(|first| first.game.starts_with("scienceworld:"));
    for transition in game.iter() {
        writer.line(transition)?;
        report.written += 1;
    }
    for _ in 0..labeller.variants {
        if !is_scienceworld {
            break;
        }
        for copy in scienceworld::variants::vary(game, rng) {
            writer.line(&copy)?;
            report.written += 1;
        }
    }
    game.clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use stride_agent::transition::{FrameText, Source};

    fn take(game: &str, thing: &str, said: &str) -> Transition {
        Transition {
            game: game.to_owned(),
            state: FrameText::Low {
                scene: String::new(),
                observation: format!("kitchen: {thing} | doors:  | holding: orange"),
                subtask: format!("pick up {thing}"),
                progress: String::new(),
            },
            utterance: said.to_owned(),
            reward: 1.0,
            ..crate::testing::transition(0)
        }
    }

    #[test]
    fn the_expert_corrects_what_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let played = folder.path().join("played.jsonl");
        let transitions = [
            take("scienceworld:boil/0", "soap", "look around; True"),
            take("scienceworld:boil/0", "soap", "pick up soap; True"),
            take("scienceworld:boil/1", "salt", "pick up salt; True"),
            take("scienceworld:boil/29", "tin", "pick up tin; True"),
            take("train/a", "tin", "pick up tin; True"),
        ];
        crate::demonstrate::write(&transitions, &played).unwrap();
        let out = folder.path().join("labelled.jsonl.zst");
        let labeller = Labeller {
            household: None,
            variants: 1,
            seed: 0,
        };
        let report = relabel(&[played], &labeller, &out).unwrap();
        let expected = RelabelReport {
            read: 5,
            repeated: 1,
            foreign: 1,
            unknown: 1,
            agreed: 1,
            written: 4,
        };
        assert_eq!(report, expected);
        let (_, labelled) = data::read_for_cloning(&out).unwrap();
        assert_eq!(labelled[0].utterance, "pick up soap; True");
        assert_eq!(labelled[0].source, Source::Relabelled);
        assert!(labelled.iter().all(|t| t.reward == 0.0 && t.next.is_none()));
    }
}
