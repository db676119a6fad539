//! Measures loading and stepping: `speed GAMES`. The best of many short batches counts, so that a busy machine
//! does not decide.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stride_environments::alfworld::{Collection, Game, Session};

const BATCH: u32 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: speed GAMES (a folder or a .tar.zst)")?;
    let games = Collection::open(Path::new(&path))?;
    let (mut load, mut first, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for id in games.ids().step_by((games.len() / 40).max(1)) {
        let json = games.read(id)?;
        let mut best = Duration::MAX;
        for _ in 0..20 {
            let begin = Instant::now();
            Game::from_json(&json)?;
            best = best.min(begin.elapsed());
        }
        load.push(best);
        let mut session = Session::new(Arc::new(Game::from_json(&json)?));
        first.push(steps(&mut session)?);
        let mut best = Duration::MAX;
        for _ in 0..10 {
            best = best.min(steps(&mut session)?);
        }
        again.push(best);
    }
    println!("load a game:                            {:?}", median(load));
    println!(
        "step with admissible list, new session: {:?}",
        median(first)
    );
    println!(
        "step with admissible list, warm:        {:?}",
        median(again)
    );
    Ok(())
}

/// The mean time of a step while walking through the admissible commands.
fn steps(session: &mut Session) -> Result<Duration, Box<dyn Error>> {
    session.reset()?;
    let mut admissible = session.admissible()?;
    let begin = Instant::now();
    for number in 0..BATCH as usize {
        let command = admissible[number * 7 % admissible.len()].clone();
        session.step(&command)?;
        admissible = session.admissible()?;
    }
    Ok(begin.elapsed() / BATCH)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
