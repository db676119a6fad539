//! An episode under way, and who follows it. Whoever comes late is told everything from the beginning.

use std::sync::Arc;

use stride_client::episodes::{Episode, EpisodeBegun, EpisodeStep};
use tokio::sync::watch;

use super::environments::Wanted;
use super::error::EpisodeError;

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The game.
    pub wanted: Wanted,
    /// Actions at most.
    pub max_steps: u32,
    /// Choose among what the environment lists.
    pub admissible: bool,
}

impl Asked {
    /// Whether it is the same as another.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.is_of(&other.wanted.name(), other.max_steps, other.admissible)
    }

    /// Whether it is this.
    #[must_use]
    pub fn is_of(&self, environment: &str, max_steps: u32, admissible: bool) -> bool {
        self.wanted.name() == environment
            && (self.max_steps, self.admissible) == (max_steps, admissible)
    }
}

/// The end of an episode, for all who follow it.
pub type End = Result<Arc<Episode>, Arc<EpisodeError>>;

/// How far an episode is.
#[derive(Debug, Default)]
struct State {
    begun: Option<EpisodeBegun>,
    steps: Vec<EpisodeStep>,
    end: Option<End>,
}

/// An episode under way.
#[derive(Debug)]
pub struct Running {
    asked: Asked,
    state: watch::Sender<State>,
}

impl Running {
    /// One that is about to begin.
    #[must_use]
    pub fn new(asked: Asked) -> Self {
        let state = watch::Sender::default();
        Self { asked, state }
    }

    /// What was asked for.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// It has begun.
    pub fn begin(&self, begun: EpisodeBegun) {
        self.state.send_modify(|state| state.begun = Some(begun));
    }

    /// Another step was done.
    pub fn step(&self, step: EpisodeStep) {
        self.state.send_modify(|state| state.steps.push(step));
    }

    /// It is over.
    pub fn end(&self, end: Result<Episode, EpisodeError>) {
        let end = end.map(Arc::new).map_err(Arc::new);
        self.state.send_modify(|state| state.end = Some(end));
    }

    /// Follows it from its beginning.
    #[must_use]
    pub fn follow(&self) -> Follower {
        Follower {
            state: self.state.subscribe(),
            begun: false,
            told: 0,
        }
    }
}

/// Who follows an episode.
#[derive(Debug)]
pub struct Follower {
    state: watch::Receiver<State>,
    begun: bool,
    told: usize,
}

/// What a follower is told next.
#[derive(Debug)]
pub enum Told {
    /// What is played; the first that is told, unless that never came about.
    Begun(EpisodeBegun),
    /// A step.
    Step(EpisodeStep),
    /// The end; nothing comes after it.
    End(End),
}

impl Follower {
    /// Follows an episode that is over.
    #[must_use]
    pub fn of(episode: Episode) -> Self {
        let state = State {
            begun: Some(episode.begun.clone()),
            steps: episode.steps.clone(),
            end: Some(Ok(Arc::new(episode))),
        };
        Self {
            state: watch::channel(state).1,
            begun: false,
            told: 0,
        }
    }

    /// Waits for what comes next.
    pub async fn next(&mut self) -> Told {
        loop {
            if let Some(next) = self.look() {
                return next;
            }
            // Whoever played it is gone without a word only when the daemon ends.
            if self.state.changed().await.is_err() {
                let closed = || Told::End(Err(Arc::new(EpisodeError::Closed)));
                return self.look().unwrap_or_else(closed);
            }
        }
    }

    /// Waits for the end.
    pub async fn end(mut self) -> End {
        let ended = self.state.wait_for(|state| state.end.is_some()).await;
        let end = ended.ok().and_then(|state| state.end.clone());
        end.unwrap_or_else(|| Err(Arc::new(EpisodeError::Closed)))
    }

    fn look(&mut self) -> Option<Told> {
        let state = self.state.borrow_and_update();
        if let Some(begun) = state.begun.as_ref().filter(|_| !self.begun) {
            self.begun = true;
            return Some(Told::Begun(begun.clone()));
        }
        if let Some(step) = state.steps.get(self.told) {
            self.told += 1;
            return Some(Told::Step(step.clone()));
        }
        state.end.clone().map(Told::End)
    }
}
