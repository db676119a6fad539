//! Replays transcripts of the official engine: `replay TRANSCRIPTS GAMES`.

use std::error::Error;
use std::path::Path;

use stride_environments::alfworld::{Collection, Replay, Transcripts};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(transcripts), Some(games)) = (arguments.next(), arguments.next()) else {
        return Err("usage: replay TRANSCRIPTS.jsonl[.zst] GAMES (a folder or a .tar.zst)".into());
    };
    let begin = std::time::Instant::now();
    let games = Collection::open(Path::new(&games))?;
    println!(
        "{} games listed in {:?}, {} passed over",
        games.len(),
        begin.elapsed(),
        games.passed_over().len()
    );
    let replayed = Replay::new(&games).run(Transcripts::open(Path::new(&transcripts))?)?;
    for mismatch in &replayed.first {
        println!("{mismatch:#?}");
    }
    let each = |total: std::time::Duration, count: usize| {
        total / u32::try_from(count.max(1)).unwrap_or(u32::MAX)
    };
    println!(
        "replayed {} steps in {} games: {} mismatches; {:?} a load, {:?} a step",
        replayed.steps,
        replayed.episodes,
        replayed.mismatches,
        each(replayed.loading, replayed.episodes),
        each(replayed.stepping, replayed.steps),
    );
    if replayed.mismatches > 0 {
        Err("transcripts and engine differ".into())
    } else {
        Ok(())
    }
}
