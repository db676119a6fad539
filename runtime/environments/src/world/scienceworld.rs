//! ScienceWorld's episodes, each on a JVM that is used again.

use std::sync::{Mutex, PoisonError};

use crate::scienceworld::{
    self, EpisodeId, HARMLESS_ACTION, ScienceWorldEnvironment, Session, Settings, SimulatorError,
    Split,
};
use stride_agent::environment::{Environment, EnvironmentError, Opening, Outcome};

use super::spec::{Episodes, Extent};
use super::{Game, GameLabel, Games};

/// Episodes in the order of their tasks, then variations. As many JVMs are started as episodes are open at the same time;
/// one that died is replaced when its session starts the next episode.
#[derive(Debug)]
pub struct ScienceWorldGames {
    ids: Vec<EpisodeId>,
    settings: Settings,
    idle: Mutex<Vec<Session>>,
}

impl ScienceWorldGames {
    /// The episodes of a part of the world.
    ///
    /// # Errors
    /// When Java or the simulator is missing, or the simulator is another one.
    pub fn open(extent: Extent, episodes: &Episodes) -> Result<Self, SimulatorError> {
        Ok(Self {
            ids: ids(extent, episodes),
            settings: Settings::find()?,
            idle: Mutex::default(),
        })
    }
}

/// The chosen episodes.
pub(super) fn ids(extent: Extent, episodes: &Episodes) -> Vec<EpisodeId> {
    let split = |split| match extent {
        Extent::Protocol => scienceworld::episodes(split),
        Extent::Full => scienceworld::all_episodes(split),
    };
    let mut ids: Vec<EpisodeId> = match *episodes {
        Episodes::All => Split::ALL.into_iter().flat_map(split).collect(),
        Episodes::Split(of) => split(of),
        Episodes::Task(of, task) => {
            let ids = split(of).into_iter();
            ids.filter(|id| id.task == task).collect()
        }
        Episodes::One(id) => vec![id],
    };
    ids.sort_unstable();
    ids
}

impl Games for ScienceWorldGames {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn label(&self, index: usize) -> GameLabel {
        let id = self.ids[index];
        GameLabel::new(format!("scienceworld:{id}"), id.task.name())
    }

    fn open(&self, index: usize) -> Result<Box<dyn Game + '_>, EnvironmentError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let session = idle.unwrap_or_else(|| Session::new(self.settings.clone()));
        Ok(Box::new(Borrowed {
            environment: Some(ScienceWorldEnvironment::new(session, self.ids[index])),
            idle: &self.idle,
        }))
    }

    fn graded(&self) -> bool {
        true
    }

    fn harmless_action(&self) -> Option<&'static str> {
        Some(HARMLESS_ACTION)
    }

    fn has_templates(&self) -> bool {
        false
    }
}

/// An episode whose session goes back when it is over.
struct Borrowed<'a> {
    /// `None` only while it is dropped.
    environment: Option<ScienceWorldEnvironment>,
    idle: &'a Mutex<Vec<Session>>,
}

impl Borrowed<'_> {
    fn environment(&mut self) -> Result<&mut ScienceWorldEnvironment, EnvironmentError> {
        self.environment
            .as_mut()
            .ok_or_else(|| EnvironmentError::new(SimulatorError::NoEpisode))
    }
}

impl Environment for Borrowed<'_> {
    fn keep_within(&mut self, bytes: usize) {
        if let Some(environment) = &mut self.environment {
            environment.keep_within(bytes);
        }
    }

    fn reset(&mut self) -> Result<Opening, EnvironmentError> {
        self.environment()?.reset()
    }

    fn step(&mut self, action: &str) -> Result<Outcome, EnvironmentError> {
        self.environment()?.step(action)
    }
}

impl Game for Borrowed<'_> {
    fn score_at_move_limit(&self) -> Option<f64> {
        let environment = self.environment.as_ref()?;
        Some(f64::from(environment.score_at_move_limit().max(0)))
    }
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        if let Some(environment) = self.environment.take() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            idle.push(environment.into_session());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn episodes_are_those_that_were_named() {
        let count = |extent, episodes: &str| ids(extent, &episodes.parse().unwrap()).len();
        assert_eq!(count(Extent::Protocol, "dev"), 195);
        assert_eq!(count(Extent::Protocol, "test"), 211);
        assert_eq!(count(Extent::Protocol, ""), 1404 + 195 + 211);
        assert_eq!(count(Extent::Protocol, "dev/boil"), 7);
        assert_eq!(count(Extent::Full, "dev/boil"), 7);
        assert_eq!(count(Extent::Full, "train/boil"), 14);
        assert_eq!(count(Extent::Full, "test/grow-fruit"), 33);
        assert_eq!(count(Extent::Protocol, "boil/29"), 1);
        assert!(count(Extent::Full, "test") > 1500);
        // Every episode's name is a world that holds just this episode.
        let all = ids(Extent::Full, &Episodes::All);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
        for id in all.iter().step_by(97) {
            let named: Episodes = id.to_string().parse().unwrap();
            assert_eq!(ids(Extent::Protocol, &named), [*id]);
        }
    }
}
