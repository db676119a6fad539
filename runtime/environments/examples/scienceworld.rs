//! Plays actions of one episode: `scienceworld TASK/VARIATION [ACTION...]`; without actions, the gold path.

use std::error::Error;

use stride_agent::environment::Environment;
use stride_environments::scienceworld::{EpisodeId, ScienceWorldEnvironment, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let Some(episode) = arguments.next() else {
        return Err("usage: scienceworld TASK/VARIATION [ACTION...]".into());
    };
    let episode: EpisodeId = episode.parse()?;
    let mut session = Session::open()?;
    let mut actions: Vec<String> = arguments.collect();
    if actions.is_empty() {
        actions = session.gold_path(episode)?;
    }
    let mut world = ScienceWorldEnvironment::new(session, episode);
    let opening = world.reset()?;
    println!("{}\n{}", opening.task, opening.observation);
    for action in actions {
        let outcome = world.step(&action)?;
        println!("> {action}\n{}", outcome.observation);
        println!(
            "  score {} after {} ticks{}",
            world.score(),
            world.moves(),
            if outcome.invalid {
                ", not understood"
            } else {
                ""
            }
        );
        if let Some(ending) = world.ending() {
            println!("{ending:?}");
            break;
        }
    }
    Ok(())
}
