//! Episodes one after the other on one JVM, which is replaced when it fails.

use super::error::SimulatorError;
use super::simulator::{Observed, Settings, Simulator};
use super::task::EpisodeId;

/// The start of an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The task's instruction.
    pub description: String,
    /// What is seen at first; the feedback is the room.
    pub observed: Observed,
}

/// One JVM used for many episodes.
///
/// When it dies, hangs or answers what it must not, the call returns an error and the process is killed; the episode is lost,
/// and the next [`reset`](Self::reset) starts another JVM by itself.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    simulator: Option<Simulator>,
    is_running: bool,
    starts: u32,
}

impl Session {
    /// A session with the simulator as it is installed here.
    ///
    /// # Errors
    /// When Java or the jar is missing. The JVM itself is started by the first reset.
    pub fn open() -> Result<Self, SimulatorError> {
        Ok(Self::new(Settings::find()?))
    }

    /// A session with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            simulator: None,
            is_running: false,
            starts: 0,
        }
    }

    /// How many JVMs it has started so far.
    #[must_use]
    pub fn starts(&self) -> u32 {
        self.starts
    }

    /// The process id of the JVM, when one is running.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.simulator.as_ref().map(Simulator::process_id)
    }

    /// Starts an episode.
    ///
    /// # Errors
    /// When the simulator cannot be started, refuses the episode or does not answer.
    pub fn reset(&mut self, episode: EpisodeId) -> Result<Start, SimulatorError> {
        self.is_running = false;
        let start = self.with(|simulator| {
            simulator.load(episode, false)?;
            Ok(Start {
                description: simulator.description()?,
                observed: simulator.look()?,
            })
        })?;
        self.is_running = true;
        Ok(start)
    }

    /// Does an action. The simulator plays on after the end when it is asked to.
    ///
    /// # Errors
    /// When no episode is running, or the simulator does not answer.
    pub fn step(&mut self, action: &str) -> Result<Observed, SimulatorError> {
        self.in_episode(|simulator| simulator.step(action))
    }

    /// The actions that would be understood now: hundreds, and slow (40 to 600 ms).
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn valid_actions(&mut self) -> Result<Vec<String>, SimulatorError> {
        self.in_episode(Simulator::valid_actions)
    }

    /// The simulator's own solution of an episode, which takes it up to 12 s. Ends the episode that was running.
    ///
    /// # Errors
    /// As [`reset`](Self::reset).
    pub fn gold_path(&mut self, episode: EpisodeId) -> Result<Vec<String>, SimulatorError> {
        self.is_running = false;
        self.with(|simulator| {
            simulator.load(episode, true)?;
            simulator.gold_path()
        })
    }

    fn in_episode<T>(
        &mut self,
        call: impl FnOnce(&mut Simulator) -> Result<T, SimulatorError>,
    ) -> Result<T, SimulatorError> {
        if !self.is_running {
            return Err(SimulatorError::NoEpisode);
        }
        self.with(call)
    }

    fn with<T>(
        &mut self,
        call: impl FnOnce(&mut Simulator) -> Result<T, SimulatorError>,
    ) -> Result<T, SimulatorError> {
        let mut simulator = match self.simulator.take() {
            Some(simulator) => simulator,
            None => {
                self.starts += 1;
                Simulator::start(self.settings.clone())?
            }
        };
        let result = call(&mut simulator);
        if matches!(result, Ok(_) | Err(SimulatorError::Refused { .. })) {
            self.simulator = Some(simulator);
        } else {
            self.is_running = false;
        }
        result
    }
}
