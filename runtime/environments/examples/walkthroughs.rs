//! Plays every game's own walkthrough and counts the wins: `walkthroughs GAMES`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stride_environments::alfworld::{Collection, Game, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: walkthroughs GAMES (a folder or a .tar.zst)")?;
    let games = Collection::open(Path::new(&path))?;
    let (mut won, mut steps) = (0, 0_u32);
    let (mut loading, mut stepping) = (Duration::ZERO, Duration::ZERO);
    for id in games.ids() {
        let json = games.read(id)?;
        let begin = Instant::now();
        let game = Arc::new(Game::from_json(&json)?);
        loading += begin.elapsed();
        let mut session = Session::new(Arc::clone(&game));
        session.reset()?;
        session.admissible()?;
        for command in game.walkthrough() {
            let begin = Instant::now();
            session.step(command)?;
            session.admissible()?;
            stepping += begin.elapsed();
            steps += 1;
        }
        if session.is_won()? {
            won += 1;
        } else {
            println!("not won: {id}");
        }
    }
    let count = u32::try_from(games.len())?;
    println!(
        "{won} of {count} won; {:?} a load, {:?} a step",
        loading / count,
        stepping / steps.max(1)
    );
    Ok(())
}
