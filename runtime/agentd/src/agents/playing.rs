//! What an episode that the daemon plays needs of its agent.

use std::sync::Arc;

use stride_client::api::{Agent, CreateAgent, StepAnswer, StepRequest};
use stride_client::episodes::EpisodeStep;

use super::error::ServiceError;
use super::service::Agents;
use super::stepping::{Answered, Asker};
use crate::store::record::Seen;
use crate::store::{AgentId, EpisodeHead};

impl Agents {
    /// Makes the agent of an episode, or returns the one that plays just this one; true when it is new.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn create_player(
        self: &Arc<Self>,
        request: CreateAgent,
        episode: EpisodeHead,
    ) -> Result<(Agent, bool), ServiceError> {
        self.create_for(request, Some(episode)).await
    }

    /// Makes a step of an episode, as [`Agents::step`] makes one for a client.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn play(
        self: &Arc<Self>,
        id: AgentId,
        request: StepRequest,
    ) -> Result<Answered, ServiceError> {
        self.step_for(Asker::Episode, id, request).await
    }

    /// The episode that an agent plays, if it is the daemon that plays with it.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn episode(&self, id: AgentId) -> Result<Option<EpisodeHead>, ServiceError> {
        Ok(self.store.episode(&id)?)
    }

    /// Writes down a step of an episode that was done in its world, before the next is asked for.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn played(
        &self,
        id: AgentId,
        number: u32,
        step: &EpisodeStep,
    ) -> Result<(), ServiceError> {
        Ok(self.store.played(id, number, step).await?)
    }

    /// The steps of an episode that were written down.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn all_played(&self, id: AgentId) -> Result<Vec<EpisodeStep>, ServiceError> {
        Ok(self.store.all_played(id).await?)
    }

    /// The last answer of an agent, if it was given to this request.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn last_answer(
        &self,
        id: AgentId,
        request_id: &str,
    ) -> Result<Option<StepAnswer>, ServiceError> {
        Ok(match self.read(id)?.seen(request_id) {
            Seen::Last(answer) => Some(*answer),
            Seen::New | Seen::Earlier => None,
        })
    }
}
