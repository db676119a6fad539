//! After a start: steps that were asked for and have no answer.
//!
//! A power cut may have taken an answer that a client has. So the step is made again from the agent's record, before anybody else
//! has the agent's turn: by the same policy, with the same answer. (After a mere end of the daemon no such answer was given, and
//! whoever asked asks again and gets this one.)
//!
//! When another policy serves now than the one that was asked (its file was changed, or a setting, before the daemon started
//! again), the step is made by that: the agent goes on, and the answer may be another than the one that was given. This is said in the
//! log and counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::error::ServiceError;
use super::service::Agents;
use super::slots::{Slot, Turn};
use crate::engine::StepFailure;
use crate::store::record::Seen;
use crate::store::{Intent, StoreError};

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

impl Agents {
    /// Makes the steps that have no answer. Their agents' turns are taken when this returns; it is called before anybody is served. What is
    /// not made when the tasks are ended is made after the next start.
    #[must_use]
    pub fn recover(self: &Arc<Self>, unanswered: Vec<Intent>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for intent in unanswered {
            let slot = self.slots.find(&intent.agent);
            let turn = slot.as_ref().and_then(|slot| slot.try_turn());
            let agents = Arc::clone(self);
            tasks.spawn(async move {
                let id = intent.agent;
                if let (Some(slot), Some(turn)) = (slot, turn)
                    && !agents.recovered(&slot, &turn, intent).await
                {
                    return;
                }
                if let Err(error) = agents.store.void(id).await {
                    tracing::warn!(agent = %id, %error, "a step without an answer is looked at again at the next start");
                }
            });
        }
        tasks
    }

    /// Makes a step again; false when it stays to be made, or is made and written.
    async fn recovered(&self, slot: &Slot, _: &Turn, intent: Intent) -> bool {
        let id = intent.agent;
        loop {
            let failed = match self.again(slot, intent.clone()).await {
                Ok(made) => return !made,
                Err(failed) => failed,
            };
            match failed {
                ServiceError::Step(StepFailure::Closed)
                | ServiceError::Store(StoreError::Closed)
                | ServiceError::Closed => return false,
                ServiceError::Step(StepFailure::Busy)
                | ServiceError::Store(StoreError::Commit(_) | StoreError::Unavailable(_)) => {
                    tokio::time::sleep(PAUSE).await;
                }
                error => {
                    let request_id = intent.request_id;
                    tracing::error!(agent = %id, request_id, %error, "a step could not be made again");
                    return true;
                }
            }
        }
    }

    /// False when there is nothing to do: the answer was on disk after all.
    async fn again(&self, slot: &Slot, intent: Intent) -> Result<bool, ServiceError> {
        let record = self.read(intent.agent)?;
        if record.ended() || record.seen(&intent.request_id) != Seen::New {
            return Ok(false);
        }
        let asked = self.ask(record, intent)?;
        let made = self.engine.step(asked.input()?).await?;
        let (id, request_id) = (asked.intent.agent, asked.intent.request_id.clone());
        let same = made.maker.is_some() && made.maker == asked.intent.maker;
        self.take(slot, asked, made, None).await?;
        self.metrics.steps_recovered.inc();
        if same {
            tracing::info!(agent = %id, request_id, "a step without an answer was made again");
        } else {
            self.metrics.steps_recovered_otherwise.inc();
            tracing::error!(
                agent = %id,
                request_id,
                "a step without an answer was made again by another policy than the one that was asked; an answer that was given \
                 before a power cut may have been another"
            );
        }
        Ok(true)
    }
}
