//! What the API does with episodes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stride_client::api::Ending;
use stride_client::episodes::{EnvironmentList, Episode, RunEpisode};
use tokio::sync::{Semaphore, watch};

use super::environments::Environments;
use super::error::EpisodeError;
use super::running::{Asked, Follower, Running};
use crate::agents::{Agents, ServiceError};
use crate::metrics::Metrics;
use crate::store::AgentId;

/// How episodes are played.
#[derive(Debug, Clone, Copy)]
pub struct EpisodesOptions {
    /// Episodes at once, at most.
    pub at_once: u32,
    /// Actions of one at most.
    pub max_steps: u32,
    /// Bytes of an observation that an agent keeps.
    pub observation: usize,
    /// Time that a step may wait when there is too much to do.
    pub patience: Duration,
}

/// The episodes that the daemon plays.
#[derive(Debug)]
pub struct Episodes {
    pub(super) agents: Arc<Agents>,
    environments: Arc<Environments>,
    pub(super) options: EpisodesOptions,
    running: Mutex<HashMap<AgentId, Arc<Running>>>,
    places: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    metrics: Arc<Metrics>,
}

/// An episode in the list of those that are played, until this is dropped.
struct Listed<'a> {
    episodes: &'a Episodes,
    id: AgentId,
    running: Arc<Running>,
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.episodes.lock().remove(&self.id);
        self.episodes.metrics.episodes_running.dec();
    }
}

impl Episodes {
    /// None is played yet.
    #[must_use]
    pub fn new(
        agents: Arc<Agents>,
        environments: Environments,
        options: EpisodesOptions,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            agents,
            environments: Arc::new(environments),
            options,
            running: Mutex::default(),
            places: Arc::new(Semaphore::new(options.at_once as usize)),
            closing: watch::Sender::new(false),
            metrics,
        }
    }

    /// Has an episode played, and follows it; true when it had been played to its end before. It goes on when nobody follows it any more.
    ///
    /// # Errors
    /// [`EpisodeError`].
    pub async fn run(
        self: &Arc<Self>,
        request: RunEpisode,
    ) -> Result<(Follower, bool), EpisodeError> {
        let asked = self.understood(&request)?;
        let id = match &request.id {
            None => AgentId::random(),
            Some(id) => {
                let id = id.parse().map_err(|error| EpisodeError::Invalid {
                    field: "id",
                    problem: format!("{error}"),
                })?;
                if let Some(running) = self.lock().get(&id) {
                    return joined(id, running, &asked);
                }
                if let Some(episode) = self.recorded(id, &asked).await? {
                    self.metrics.replays.inc();
                    return Ok((Follower::of(episode), true));
                }
                id
            }
        };
        if self.is_closing() {
            return Err(EpisodeError::Closed);
        }
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| EpisodeError::Busy(self.options.at_once))?;
        let running = match self.lock().entry(id) {
            // Somebody else asked in the same moment.
            Entry::Occupied(running) => return joined(id, running.get(), &asked),
            Entry::Vacant(free) => Arc::clone(free.insert(Arc::new(Running::new(asked)))),
        };
        self.metrics.episodes_running.inc();
        let follower = running.follow();
        let episodes = Arc::clone(self);
        // A task of its own: a client that hangs up does not end it, and may ask again.
        tokio::spawn(async move {
            let listed = Listed {
                episodes: &episodes,
                id,
                running,
            };
            let end = episodes.play(id, &listed.running).await;
            episodes.count(id, &end);
            listed.running.end(end);
            drop(listed);
            drop(place);
        });
        Ok((follower, false))
    }

    /// The environments of the deployment. It may take a while to open them.
    pub async fn environments(&self) -> EnvironmentList {
        let environments = Arc::clone(&self.environments);
        let described = tokio::task::spawn_blocking(move || environments.describe());
        EnvironmentList {
            // Fails only when the daemon ends.
            environments: described.await.unwrap_or_default(),
            max_steps: self.options.max_steps,
            episodes: self.options.at_once,
        }
    }

    /// Ends the episodes at the next step, and lets none begin; they are gone on with when they are asked for again.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Waits for something that may take long, but not when the daemon shuts down.
    pub(super) async fn unless_closing<T>(
        &self,
        work: impl Future<Output = Result<T, EpisodeError>>,
    ) -> Result<T, EpisodeError> {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => Err(EpisodeError::Closed),
            done = work => done,
        }
    }

    fn understood(&self, request: &RunEpisode) -> Result<Asked, EpisodeError> {
        let most = self.options.max_steps;
        let max_steps = request.max_steps.unwrap_or(most);
        if !(1..=most).contains(&max_steps) {
            return Err(EpisodeError::Invalid {
                field: "max_steps",
                problem: format!(
                    "{max_steps} is not in 1 to {most} (limits.actions_per_episode of the profile)"
                ),
            });
        }
        Ok(Asked {
            wanted: self.environments.find(&request.environment)?,
            max_steps,
            admissible: request.admissible,
        })
    }

    fn count(&self, id: AgentId, end: &Result<Episode, EpisodeError>) {
        let end = match end {
            Ok(episode) => match episode.end {
                Ending::Success => "success",
                Ending::Failure => "failure",
                Ending::Limit => "limit",
            },
            // It never was one.
            Err(EpisodeError::NoGame { .. } | EpisodeError::Unlisted(_)) => return,
            Err(EpisodeError::Closed | EpisodeError::Agent(ServiceError::Closed)) => "interrupted",
            Err(error) => {
                tracing::warn!(episode = %id, %error, "an episode was not played to its end");
                "error"
            }
        };
        self.metrics.episode_ended(end);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AgentId, Arc<Running>>> {
        // No code that runs under the lock leaves the map half changed.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn joined(id: AgentId, running: &Running, asked: &Asked) -> Result<(Follower, bool), EpisodeError> {
    if running.asked().is(asked) {
        Ok((running.follow(), false))
    } else {
        Err(EpisodeError::Exists(id))
    }
}
