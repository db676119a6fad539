//! ScienceWorld's episodes as an agent sees them.

use stride_agent::environment::{Environment, EnvironmentError, Opening, Outcome};

use super::error::SimulatorError;
use super::session::Session;
use super::simulator::Observed;
use super::task::EpisodeId;
use super::view;

/// How the simulator begins its answer to what it does not understand, and to what could mean several things.
pub const NOT_UNDERSTOOD: [&str; 2] = ["No known action matches that input", "Ambiguous request"];
/// The simulator's clock above which the paper's protocol calls an episode done (method section 10.1).
pub const MOVE_LIMIT: u32 = 50;

/// What the environment does beyond the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EnvironmentOptions {
    /// Ends the episode when the clock first exceeds this. `None` by default: only the score at that moment is kept, at
    /// [`MOVE_LIMIT`].
    pub move_limit: Option<u32>,
    /// Lists the admissible actions. Off by default: it takes the simulator 40 to 600 ms a step.
    pub admissible: bool,
}

/// What ended an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The simulator calls the task complete.
    Completed,
    /// The score is negative: the wrong thing was focused on.
    Failed,
    /// The clock exceeded the limit of the options.
    MoveLimit,
}

/// One episode behind the agent's `Environment`. The observation is the [`view`] of feedback, room and inventory; the
/// reward is the change of the score as a fraction of 100. The number of actions is the caller's to limit.
#[derive(Debug)]
pub struct ScienceWorldEnvironment {
    session: Session,
    episode: EpisodeId,
    options: EnvironmentOptions,
    running: bool,
    score: i32,
    moves: u32,
    score_at_limit: Option<i32>,
    ending: Option<Ending>,
    /// Bytes of an observation.
    most: usize,
}

impl ScienceWorldEnvironment {
    /// An environment for one episode.
    #[must_use]
    pub fn new(session: Session, episode: EpisodeId) -> Self {
        Self {
            session,
            episode,
            options: EnvironmentOptions::default(),
            running: false,
            score: 0,
            moves: 0,
            score_at_limit: None,
            ending: None,
            most: view::BYTES,
        }
    }

    /// With other options.
    #[must_use]
    pub fn with_options(mut self, options: EnvironmentOptions) -> Self {
        self.options = options;
        self
    }

    /// The episode that is played.
    #[must_use]
    pub fn episode(&self) -> EpisodeId {
        self.episode
    }

    /// Another episode for the next reset; the JVM stays.
    pub fn set_episode(&mut self, episode: EpisodeId) {
        self.episode = episode;
        self.running = false;
    }

    /// Gives the session back, for another environment.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.session
    }

    /// What ended the episode; `None` while it runs, or when its caller stopped.
    #[must_use]
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The simulator's score, -100 to 100.
    #[must_use]
    pub fn score(&self) -> i32 {
        self.score
    }

    /// The simulator's clock.
    #[must_use]
    pub fn moves(&self) -> u32 {
        self.moves
    }

    /// The score with which the clock first exceeded the move limit (that of the options, else [`MOVE_LIMIT`]), -100 to
    /// 100: what the official package would report when it is told that limit. When the clock has not exceeded it, the
    /// score as it is.
    #[must_use]
    pub fn score_at_move_limit(&self) -> i32 {
        self.score_at_limit.unwrap_or(self.score)
    }

    fn seen(&self, observed: &Observed) -> String {
        let Observed {
            feedback,
            look,
            inventory,
            ..
        } = observed;
        view::compose_within(self.most, feedback, look, inventory)
    }

    /// Takes note of what is seen; returns the change of the score.
    fn note(&mut self, observed: &Observed) -> i32 {
        let change = observed.score - self.score;
        self.score = observed.score;
        self.moves = observed.moves;
        let is_late = observed.moves > self.options.move_limit.unwrap_or(MOVE_LIMIT);
        if is_late && self.score_at_limit.is_none() {
            self.score_at_limit = Some(observed.score);
        }
        self.ending = if observed.score < 0 {
            Some(Ending::Failed)
        } else if observed.completed {
            Some(Ending::Completed)
        } else if is_late && self.options.move_limit.is_some() {
            Some(Ending::MoveLimit)
        } else {
            None
        };
        self.running = self.ending.is_none();
        change
    }
}

impl Environment for ScienceWorldEnvironment {
    fn keep_within(&mut self, bytes: usize) {
        self.most = bytes;
    }

    fn reset(&mut self) -> Result<Opening, EnvironmentError> {
        self.running = false;
        self.ending = None;
        self.score_at_limit = None;
        let start = self
            .session
            .reset(self.episode)
            .map_err(EnvironmentError::new)?;
        let observed = start.observed;
        self.score = 0;
        self.note(&observed);
        Ok(Opening {
            task: view::task(&start.description),
            scene: String::new(),
            observation: self.seen(&observed),
        })
    }

    fn step(&mut self, action: &str) -> Result<Outcome, EnvironmentError> {
        if !self.running {
            return Err(EnvironmentError::new(SimulatorError::NoEpisode));
        }
        // Until the answer is there: an episode whose simulator failed takes no more steps.
        self.running = false;
        let observed = self.session.step(action).map_err(EnvironmentError::new)?;
        let change = self.note(&observed);
        Ok(Outcome {
            observation: self.seen(&observed),
            reward: fraction(change),
            score: fraction(observed.score.max(0)),
            done: self.ending.is_some(),
            won: observed.score == 100,
            invalid: NOT_UNDERSTOOD
                .iter()
                .any(|beginning| observed.feedback.starts_with(beginning)),
        })
    }

    fn admissible(&mut self) -> Option<Vec<String>> {
        if !self.options.admissible || !self.running {
            return None;
        }
        let actions = self.session.valid_actions().ok();
        // The session has dropped a simulator that failed, and the episode with it.
        self.running = actions.is_some();
        actions
    }
}

fn fraction(percent: i32) -> f32 {
    percent as f32 / 100.0
}
