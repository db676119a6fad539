//! Replays episodes recorded with the official package: `scienceworld_replay TRANSCRIPTS [EVERY]`.

use std::error::Error;
use std::path::Path;

use stride_environments::scienceworld::{Replay, Session, Transcripts};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(transcripts) = arguments.next() else {
        return Err("usage: scienceworld_replay TRANSCRIPTS.jsonl[.zst] [EVERY]".into());
    };
    let every: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let mut session = Session::open()?;
    let transcripts = Transcripts::open(Path::new(&transcripts))?.step_by(every.max(1));
    let replayed = Replay::new(&mut session).with_kept(1000).run(transcripts)?;
    for mismatch in &replayed.first {
        let action = mismatch.step.as_ref().map_or("at the start", |s| &s.1);
        println!(
            "{} {:?} {action} {:?}\n  expected {:?}\n  found    {:?}",
            mismatch.episode,
            mismatch.step.as_ref().map(|s| s.0),
            mismatch.field,
            mismatch.expected,
            mismatch.found
        );
    }
    let each = |total: std::time::Duration, count: usize| {
        total / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
    };
    println!(
        "replayed {} steps in {} episodes: {} mismatches in {} episodes, {} texts in another order, {} with another score; {:?} a load, {:?} a step",
        replayed.steps,
        replayed.episodes,
        replayed.mismatches,
        replayed.differing,
        replayed.reordered,
        replayed.scored_otherwise,
        each(replayed.loading, replayed.episodes),
        each(replayed.stepping, replayed.steps),
    );
    if replayed.mismatches > 0 {
        Err("transcripts and simulator differ".into())
    } else {
        Ok(())
    }
}
