//! Plays the ScienceWorld expert on training variations and prints the score by task, with the trace of every episode that
//! does not end at 100.
//!
//! ```text
//! cargo run --release -p stride-train --example scienceworld_expert -- [TASK|all] [FROM..TO] [--trace] [--quiet]
//! ```
#![allow(
    clippy::unwrap_used,
    reason = "a tool for the people who write the expert"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use stride_agent::agent::Limits;
use stride_agent::environment::Outcome;
use stride_agent::episode;
use stride_agent::event::{Event, Observer};
use stride_environments::scienceworld::{ScienceWorldEnvironment, Session, Split, episodes};
use stride_train::scienceworld::Expert;

#[derive(Default)]
struct Trace(Vec<String>);

impl Observer for Trace {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Uttered { frame, text, .. } => {
                let level = format!("{:?}", frame.level());
                self.0.push(format!("  {level:<8} {text}"));
            }
            Event::Acted {
                action, outcome, ..
            } => {
                let Outcome {
                    observation, score, ..
                } = outcome;
                self.0.push(format!(
                    "> {action}  ({:.0})\n    {observation}",
                    score * 100.0
                ));
            }
            _ => {}
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    let words: Vec<&String> = args.iter().filter(|a| !a.starts_with("--")).collect();
    let wanted = words.first().map_or("all", |s| s.as_str());
    let range = words.get(1).map_or(0..u32::MAX, |text| {
        let (from, to) = text.split_once("..").unwrap();
        from.parse().unwrap()..to.parse().unwrap()
    });
    let mut session = Session::open().unwrap();
    let mut table: BTreeMap<&str, (u32, f32, u32, u32)> = BTreeMap::new();
    let start = Instant::now();
    let mut longest = 0;
    for id in episodes(Split::Train) {
        let name = id.task.name();
        if !(wanted == "all" || wanted.split(',').any(|w| w == name))
            || !range.contains(&id.variation)
        {
            continue;
        }
        let mut world = ScienceWorldEnvironment::new(session, id);
        let mut trace = Trace::default();
        let played = episode::play(&mut world, &mut Expert, &Limits::default(), 50, &mut trace);
        let raw = world.score();
        session = world.into_session();
        let (steps, score, subtasks) = match played {
            Ok((report, _)) => (report.steps, report.score * 100.0, report.subtasks),
            Err(error) => {
                println!("{id}: {error}");
                (0, 0.0, 0)
            }
        };
        longest = longest.max(subtasks);
        if (score < 100.0 && !flag("--quiet")) || flag("--trace") {
            println!("=== {id}: {score} in {steps} actions, {subtasks} subtasks (raw {raw})");
            println!("{}", trace.0.join("\n"));
        } else if score < 100.0 {
            println!("{id}: {score} in {steps}");
        }
        let row = table.entry(name).or_default();
        row.0 += 1;
        row.1 += score;
        row.2 += steps;
        row.3 += u32::from(score >= 100.0);
    }
    for (name, (count, score, steps, full)) in &table {
        let n = *count as f32;
        println!(
            "{name:<50} {count:>4} episodes, mean score {:>6.2}, {full:>4} at 100, {:>5.1} actions",
            score / n,
            *steps as f32 / n
        );
    }
    println!(
        "most subtasks {longest}, {:.1} s",
        start.elapsed().as_secs_f32()
    );
}
