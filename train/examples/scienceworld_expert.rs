//! Plays the ScienceWorld expert on training variations and prints the score by task, with the trace of every episode that
//! does not end at 100.
//!
//! ```text
//! cargo run --release -p stride-train --example scienceworld_expert -- [TASK|all] [FROM..TO] [--trace] [--quiet]
//! ```

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use anyhow::Context as _;
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

/// The expert's episodes of one task.
#[derive(Default)]
struct Row {
    episodes: u32,
    /// Sum of the scores, 0 to 100 each.
    score: f64,
    actions: u32,
    /// Episodes that ended at 100.
    full: u32,
}

fn variations(text: &str) -> anyhow::Result<Range<u32>> {
    let (from, to) = text
        .split_once("..")
        .context("variations are given as FROM..TO")?;
    Ok(from.parse()?..to.parse()?)
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    let words: Vec<&String> = args.iter().filter(|a| !a.starts_with("--")).collect();
    let wanted = words.first().map_or("all", |s| s.as_str());
    let range = match words.get(1) {
        Some(text) => variations(text)?,
        None => 0..u32::MAX,
    };
    let mut session = Session::open()?;
    let mut table: BTreeMap<&str, Row> = BTreeMap::new();
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
        row.episodes += 1;
        row.score += f64::from(score);
        row.actions += steps;
        row.full += u32::from(score >= 100.0);
    }
    for (name, row) in &table {
        let episodes = f64::from(row.episodes);
        println!(
            "{name:<50} {:>4} episodes, mean score {:>6.2}, {:>4} at 100, {:>5.1} actions",
            row.episodes,
            row.score / episodes,
            row.full,
            f64::from(row.actions) / episodes
        );
    }
    println!(
        "most subtasks {longest}, {:.1} s",
        start.elapsed().as_secs_f32()
    );
    Ok(())
}
