//! What the API does with agents.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stride_agent::agent::{Limits, StepAgent};
use stride_agent::event::Silent;
use stride_client::api::{Agent, AgentList, CreateAgent, StepEvent};
use stride_firmware_config::encoding;
use stride_firmware_config::profile::DeviceProfile;
use tokio::sync::{Semaphore, broadcast};

use super::actions::{Actions, check_vocabulary};
use super::error::ServiceError;
use super::recent::Recent;
use super::slots::{Leaving, Place, Slot, Slots};
use crate::engine::Engine;
use crate::journal::Journal;
use crate::journal::transitions::Note;
use crate::metrics::Metrics;
use crate::store::{AgentId, AgentRecord, EpisodeHead, Store, StoreError};
use crate::worker::step;

/// Agents of one page at most.
pub const PAGE: usize = 1000;

/// Expired agents that are deleted in one go.
const SWEEP: usize = 256;

/// Step events that a slow listener may lag behind before it misses some.
const EVENTS: usize = 256;

/// How agents are served.
#[derive(Debug, Clone, Copy)]
pub struct AgentsOptions {
    /// Steps under way at most, waiting ones included.
    pub steps: usize,
    /// Time that one step may take, queue and restarts of the worker included.
    pub patience: Duration,
    /// Sync every answer before it is given, also those that would come again.
    pub sync_answers: bool,
}

/// Who looks at every step.
#[derive(Debug)]
pub struct Watchers {
    /// Which actions are given out.
    pub actions: Actions,
    /// The transition log, when there is one.
    pub log: Option<Journal<Note>>,
}

/// The agents.
#[derive(Debug)]
pub struct Agents {
    pub(super) slots: Slots,
    pub(super) store: Store,
    pub(super) engine: Engine,
    limits: Limits,
    capacity: u32,
    pub(super) options: AgentsOptions,
    pub(super) watchers: Watchers,
    pub(super) admission: Arc<Semaphore>,
    /// Empty once the daemon shuts down, which ends the streams.
    pub(super) events: Mutex<Option<broadcast::Sender<StepEvent>>>,
    pub(super) recent: Recent,
    pub(super) metrics: Arc<Metrics>,
}

impl Agents {
    /// The agents that the store holds. Records that cannot be read are reported and left where they are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(
        store: Store,
        engine: Engine,
        profile: &DeviceProfile,
        options: AgentsOptions,
        watchers: Watchers,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let slots = Slots::new(profile.agents);
        store.for_each(|id, record| match record {
            Ok(record) => slots.add(id, Slot::new(record.used_at(), record.ended())),
            Err(error) => tracing::error!(%error, "an agent cannot be read and is not served"),
        })?;
        let agents = Self {
            slots,
            store,
            engine,
            limits: Limits::of_profile(profile),
            capacity: profile.agents.capacity,
            options,
            watchers,
            admission: Arc::new(Semaphore::new(options.steps)),
            events: Mutex::new(Some(broadcast::channel(EVENTS).0)),
            recent: Recent::default(),
            metrics,
        };
        agents.count();
        Ok(agents)
    }

    /// Makes an agent, or returns the one that there is with the same id, task and scene; true when it is new.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn create(
        self: &Arc<Self>,
        request: CreateAgent,
    ) -> Result<(Agent, bool), ServiceError> {
        self.create_for(request, None).await
    }

    /// As [`Agents::create`], for an agent with which the daemon plays this episode itself.
    pub(super) async fn create_for(
        self: &Arc<Self>,
        request: CreateAgent,
        episode: Option<EpisodeHead>,
    ) -> Result<(Agent, bool), ServiceError> {
        let agents = Arc::clone(self);
        // A task of its own: a client that hangs up must not leave an agent half made.
        let made = tokio::spawn(async move { agents.create_now(request, episode).await });
        made.await.unwrap_or(Err(ServiceError::Closed))
    }

    async fn create_now(
        &self,
        request: CreateAgent,
        episode: Option<EpisodeHead>,
    ) -> Result<(Agent, bool), ServiceError> {
        let id = match &request.id {
            Some(id) => id.parse().map_err(|error| invalid("id", error))?,
            None => AgentId::random(),
        };
        if request.task.trim().is_empty() {
            return Err(invalid("task", "it is empty; say what the agent is to do"));
        }
        let vocabulary = request.vocabulary.as_deref();
        check_vocabulary(vocabulary)?;
        let limits = self.limits.clone();
        let begun = StepAgent::begin(&request.task, &request.scene, limits, &mut Silent);
        let now = unix_seconds();
        let (place, _turn) = loop {
            let place = self.slots.place(id, now);
            let Place::Taken(slot) = &place else {
                break (place, None);
            };
            let turn = slot.turn().await;
            // One that was deleted before its turn came has left its id to us.
            if turn.is_some() {
                break (place, turn);
            }
        };
        match place {
            Place::Full => Err(ServiceError::Full {
                capacity: self.capacity,
            }),
            Place::Taken(slot) => {
                let there = self.read(id)?;
                let (state, wanted) = (there.state(), begun.state());
                let same = (&state.task, &state.scene) == (&wanted.task, &wanted.scene);
                let same = same && self.store.episode(&id)? == episode;
                if same && self.store.vocabulary(&id)?.as_deref() == vocabulary {
                    // Somebody counts on it from now on.
                    slot.used(now, there.ended());
                    Ok((there.describe(id.as_str()), false))
                } else {
                    Err(ServiceError::Exists(id))
                }
            }
            Place::Free {
                slot,
                turn: _turn,
                leaving,
            } => {
                if let Some(leaving) = leaving
                    && let Err(error) = self.forget(leaving).await
                {
                    self.slots.remove(&id, &slot);
                    return Err(error);
                }
                let record = AgentRecord::new(begun.state().clone(), now);
                let created = self.store.create(id, &record, vocabulary, episode.as_ref());
                if let Err(error) = created.await {
                    self.slots.remove(&id, &slot);
                    return Err(error.into());
                }
                self.count();
                Ok((record.describe(id.as_str()), true))
            }
        }
    }

    /// One agent.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn get(&self, id: AgentId) -> Result<Agent, ServiceError> {
        self.find(id)?;
        Ok(self.read(id)?.describe(id.as_str()))
    }

    /// An agent's state, as the checksummed record of `stride-firmware-config`.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn export(&self, id: AgentId) -> Result<Vec<u8>, ServiceError> {
        self.find(id)?;
        encoded(&self.read(id)?)
    }

    /// A page of agents.
    #[must_use]
    pub fn list(&self, after: Option<&AgentId>, limit: usize) -> AgentList {
        let (agents, next) = self.slots.page(after, limit.clamp(1, PAGE));
        AgentList {
            agents,
            total: u32::try_from(self.slots.len()).unwrap_or(u32::MAX),
            capacity: self.capacity,
            next: next.map(|next| next.to_string()),
        }
    }

    /// The agents that were used last, latest first.
    #[must_use]
    pub fn latest(&self, limit: usize) -> AgentList {
        AgentList {
            agents: self.slots.latest(limit.clamp(1, PAGE)),
            next: None,
            ..self.list(None, 1)
        }
    }

    /// The steps that were made lately.
    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Deletes an agent, after the step that it is in.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn delete(self: &Arc<Self>, id: AgentId) -> Result<(), ServiceError> {
        let agents = Arc::clone(self);
        let gone = tokio::spawn(async move {
            let slot = agents.find(id)?;
            let _turn = slot.turn().await.ok_or(ServiceError::NotFound(id))?;
            agents.store.delete(id).await?;
            // Before its id is free for a namesake.
            agents.log(Note::Gone(id));
            agents.slots.remove(&id, &slot);
            agents.count();
            Ok(())
        });
        gone.await.unwrap_or(Err(ServiceError::Closed))
    }

    /// Every step from now on, as it is answered.
    ///
    /// # Errors
    /// When the daemon shuts down.
    pub fn events(&self) -> Result<broadcast::Receiver<StepEvent>, ServiceError> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = events.as_ref().ok_or(ServiceError::Closed)?;
        Ok(sender.subscribe())
    }

    /// Deletes the agents that expired.
    pub async fn sweep(&self) {
        for id in self.slots.expired(unix_seconds(), SWEEP) {
            // One at a time: those that wait may make a step before their turn to leave comes.
            if let Some(leaving) = self.slots.expire(id, unix_seconds())
                && let Err(error) = self.forget(leaving).await
            {
                tracing::warn!(%error, "an expired agent stays");
            }
        }
        self.count();
    }

    /// Whether the store takes records.
    #[must_use]
    pub fn writable(&self) -> bool {
        self.store.is_open()
    }

    /// Waits until no step is under way, and lets none begin.
    pub async fn close(&self) {
        let all = u32::try_from(self.options.steps).unwrap_or(u32::MAX);
        // Fails only when it was closed before.
        let _ = self.admission.acquire_many(all).await;
        self.admission.close();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        *events = None;
    }

    async fn forget(&self, leaving: Leaving) -> Result<(), ServiceError> {
        if let Err(error) = self.store.delete(leaving.id).await {
            self.slots.put_back(&leaving);
            return Err(error.into());
        }
        tracing::info!(agent = %leaving.id, rule = leaving.rule, "agent deleted");
        self.metrics.evicted(leaving.rule);
        // As in `delete`.
        self.log(Note::Gone(leaving.id));
        self.slots.left(&leaving);
        Ok(())
    }

    pub(super) fn log(&self, note: Note) {
        if let Some(log) = &self.watchers.log {
            let lines = note.lines();
            log.note(note, lines);
        }
    }

    pub(super) fn find(&self, id: AgentId) -> Result<Arc<Slot>, ServiceError> {
        self.slots.find(&id).ok_or(ServiceError::NotFound(id))
    }

    pub(super) fn read(&self, id: AgentId) -> Result<AgentRecord, ServiceError> {
        self.store.get(&id)?.ok_or(ServiceError::NotFound(id))
    }

    fn count(&self) {
        let agents = i64::try_from(self.slots.len()).unwrap_or(i64::MAX);
        self.metrics.agents.set(agents);
    }
}

pub(super) fn invalid(field: &'static str, problem: impl ToString) -> ServiceError {
    ServiceError::Invalid {
        field,
        problem: problem.to_string(),
    }
}

pub(super) fn encoded(record: &AgentRecord) -> Result<Vec<u8>, ServiceError> {
    step::encode(record.state()).map_err(|error: encoding::EncodeError| {
        ServiceError::Step(crate::engine::StepFailure::Policy(error.to_string()))
    })
}

/// Seconds since 1970, by the clock of this machine.
#[must_use]
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
