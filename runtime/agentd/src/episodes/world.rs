//! A game on a thread of its own: a world takes the time that it takes, and nobody else waits for it.

use std::time::Instant;

use stride_agent::environment::{EnvironmentError, Opening, Outcome};
use stride_environments::world::{Game, GameLabel};
use tokio::sync::{mpsc, oneshot};

use super::environments::Wanted;
use super::error::EpisodeError;

/// What can be done now, when that is asked for.
pub type Listed = Option<Vec<String>>;

/// A game that is played. Its thread ends when this is dropped, after the action that it is at.
#[derive(Debug)]
pub struct World {
    name: String,
    actions: mpsc::UnboundedSender<Action>,
}

/// How a game begins.
#[derive(Debug)]
pub struct Begun {
    /// What it is called.
    pub label: GameLabel,
    /// What is said first.
    pub opening: Opening,
    /// What can be done.
    pub listed: Listed,
}

/// What came of an action.
#[derive(Debug)]
pub struct Done {
    /// What the world says.
    pub outcome: Outcome,
    /// What can be done next.
    pub listed: Listed,
    /// Microseconds that it took.
    pub micros: u64,
}

/// An action on its way into the world.
#[derive(Debug)]
struct Action {
    text: String,
    done: oneshot::Sender<Result<Done, EpisodeError>>,
}

impl World {
    /// Opens a game and starts its episode; `listing` what can be done.
    ///
    /// # Errors
    /// When there is no such game, or it cannot be started.
    pub async fn open(
        wanted: Wanted,
        listing: bool,
        observation: usize,
    ) -> Result<(Self, Begun), EpisodeError> {
        let name = wanted.environment.name().to_owned();
        let (actions, waiting) = mpsc::unbounded_channel();
        let (begun, begins) = oneshot::channel();
        let started = std::thread::Builder::new()
            .name("world".into())
            .spawn(move || run(&wanted, listing, observation, begun, waiting));
        if let Err(error) = started {
            tracing::error!(%error, "no thread for an environment");
            return Err(EpisodeError::World(name));
        }
        let world = Self { name, actions };
        match begins.await {
            Ok(begun) => Ok((world, begun?)),
            Err(_) => Err(EpisodeError::World(world.name)),
        }
    }

    /// Does an action.
    ///
    /// # Errors
    /// When the world broke.
    pub async fn act(&self, action: &str) -> Result<Done, EpisodeError> {
        let (done, comes) = oneshot::channel();
        let text = action.to_owned();
        // Whether the thread is still there shows in the answer.
        let _ = self.actions.send(Action { text, done });
        let ended = |_| Err(EpisodeError::World(self.name.clone()));
        comes.await.unwrap_or_else(ended)
    }
}

/// The thread. It panics at most for itself: whoever waits is told that the world failed.
fn run(
    wanted: &Wanted,
    listing: bool,
    observation: usize,
    begun: oneshot::Sender<Result<Begun, EpisodeError>>,
    mut waiting: mpsc::UnboundedReceiver<Action>,
) {
    let failed = |error: EnvironmentError| wanted.environment.report(&error);
    let games = match wanted.environment.games() {
        Ok(games) => games,
        Err(error) => return drop(begun.send(Err(wanted.environment.report(&error)))),
    };
    let index = match wanted.index(&*games) {
        Ok(index) => index,
        Err(error) => return drop(begun.send(Err(error))),
    };
    let mut game = match games.open(index) {
        Ok(game) => game,
        Err(error) => return drop(begun.send(Err(failed(error)))),
    };
    game.keep_within(observation);
    let first = game.reset().map_err(failed).map(|opening| Begun {
        label: games.label(index),
        opening,
        listed: list(&mut *game, listing),
    });
    let broken = first.is_err();
    if begun.send(first).is_err() || broken {
        return;
    }
    while let Some(Action { text, done }) = waiting.blocking_recv() {
        let start = Instant::now();
        let outcome = game.step(&text).map_err(failed).map(|outcome| Done {
            listed: if outcome.done {
                None
            } else {
                list(&mut *game, listing)
            },
            outcome,
            micros: u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
        // Whoever asked may be gone.
        let _ = done.send(outcome);
    }
}

fn list(game: &mut dyn Game, listing: bool) -> Listed {
    listing.then(|| game.admissible()).flatten()
}
