//! Which level of a ScienceWorld policy fails: the first call of every episode that did not end at 100 whose utterance is not
//! the expert's.
//!
//! ```text
//! stride-eval run --policy FILE --world scienceworld:dev --record dev.jsonl.zst
//! cargo run --release -p stride-train --example scienceworld_blame -- dev.jsonl.zst
//! ```
//!
//! A call that differs need not be wrong, and the expert's own answer need not be the only good one; but the first one that
//! differs in a lost episode is where to look.
#![allow(clippy::unwrap_used, reason = "a tool for the people who train")]

use std::collections::BTreeMap;

use stride_agent::transition::{EndKind, Transition};
use stride_train::data;
use stride_train::demos::Teacher as _;
use stride_train::scienceworld::Expert;

/// Where an episode left the expert's way.
fn first_difference(episode: &[Transition]) -> Option<(&Transition, Option<String>)> {
    episode.iter().find_map(|call| {
        let label = Expert.label(&call.state.as_frame()).ok();
        (label.as_deref() != Some(&call.utterance)).then_some((call, label))
    })
}

fn main() {
    let path = std::env::args_os().nth(1).expect("a transition file");
    let (_, transitions) = data::read_for_cloning(path.as_ref()).unwrap();
    let mut table: BTreeMap<String, BTreeMap<&str, u32>> = BTreeMap::new();
    let mut agreement: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for call in &transitions {
        let label = Expert.label(&call.state.as_frame()).ok();
        let (same, all) = agreement.entry(call.state.level().to_string()).or_default();
        *same += u32::from(label.as_deref() == Some(&call.utterance));
        *all += 1;
    }
    for episode in transitions.chunk_by(|a, b| a.game == b.game) {
        if episode[0].end == EndKind::Success {
            continue;
        }
        let game = &episode[0].game;
        let task = game.trim_start_matches("scienceworld:");
        let task = task.split('/').next().unwrap_or(task).to_owned();
        let level = match first_difference(episode) {
            None => "the expert would fail too",
            Some((_, None)) => "no expert for it",
            Some((call, Some(label))) => {
                println!(
                    "{game}, step {}: `{}`, the expert `{label}`",
                    call.step_index, call.utterance
                );
                match call.state.level().to_string().as_str() {
                    "high" => "plan",
                    "low" => "action",
                    _ => "progress",
                }
            }
        };
        *table.entry(task).or_default().entry(level).or_default() += 1;
    }
    println!();
    for (task, levels) in &table {
        let levels: Vec<String> = levels
            .iter()
            .map(|(level, count)| format!("{level} {count}"))
            .collect();
        println!("{task:<50} {}", levels.join(", "));
    }
    for (level, (same, all)) in &agreement {
        println!("{level:<9} {same} of {all} utterances are the expert's");
    }
}
