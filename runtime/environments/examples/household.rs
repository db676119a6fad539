//! Shows the game of a seed, played by its walkthrough: `household [SEED]`.

use std::error::Error;
use std::sync::Arc;

use stride_environments::alfworld::Session;
use stride_environments::household::Household;

fn main() -> Result<(), Box<dyn Error>> {
    let seed = std::env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    let household = Household::new(seed);
    let game = Arc::new(household.to_game()?);
    let mut session = Session::new(Arc::clone(&game));
    println!("{}", session.reset()?);
    for command in game.walkthrough() {
        println!("\n> {command}\n{}", session.step(command)?.observation);
    }
    println!("\nadmissible now: {}", session.admissible()?.join(", "));
    Ok(())
}
