//! Episodes that the daemon plays itself. Each belongs to the agent that plays it, and goes with it.
//!
//! A step is appended to the file ahead of the database before the next is asked for. So whatever ends the daemon, the steps that are there
//! and the agent's record differ by one at most, the last answer, which stands in the record.

use redb::ReadableDatabase as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stride_client::episodes::EpisodeStep;

use super::ahead::Entry;
use super::database::{EPISODES, PLAYED};
use super::error::StoreError;
use super::handle::{Store, failed};
use super::id::AgentId;
use super::record::RecordError;
use super::writer::Write;

/// What is to be played, and how it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeHead {
    /// The environment and the game as they were asked for.
    pub environment: String,
    /// Actions at most.
    pub max_steps: u32,
    /// Whether actions are chosen among those that the environment lists.
    pub admissible: bool,
    /// The name of the game.
    pub game: String,
    /// Its kind of task.
    pub task_type: String,
    /// What the environment says first.
    pub observation: String,
}

impl Store {
    /// The episode that an agent plays, if it is the daemon that plays with it.
    ///
    /// # Errors
    /// When the file cannot be read, or what is there is damaged.
    pub fn episode(&self, id: &AgentId) -> Result<Option<EpisodeHead>, StoreError> {
        let bytes = self.shared.with(|database| {
            let read = database.begin_read()?;
            let table = read.open_table(EPISODES)?;
            Ok(table.get(id.key())?.map(|guard| guard.value().to_vec()))
        })?;
        bytes.map(|bytes| understood(*id, &bytes)).transpose()
    }

    /// Writes down a step of an episode. When this returns, it outlives this process; what is written afterwards is never on disk without it.
    ///
    /// # Errors
    /// When it could not be written.
    pub async fn played(
        &self,
        id: AgentId,
        number: u32,
        step: &EpisodeStep,
    ) -> Result<(), StoreError> {
        let step = serde_json::to_vec(step).map_err(|_| failed(id)(RecordError::TooLong))?;
        let entry = Entry::Played {
            agent: id,
            number,
            step,
        };
        self.append(entry).await.map(drop)
    }

    /// The steps of an episode that were written down, in their order.
    ///
    /// # Errors
    /// When the files cannot be written or read, or what is there is damaged.
    pub async fn all_played(&self, id: AgentId) -> Result<Vec<EpisodeStep>, StoreError> {
        // Few ask, so that they may wait until everything is in one place.
        self.write(|reply| Write::Nothing { reply }).await?;
        let steps = self.shared.with(|database| {
            let read = database.begin_read()?;
            let table = read.open_table(PLAYED)?;
            let mut steps = Vec::new();
            for entry in table.range((id.key(), 0)..=(id.key(), u32::MAX))? {
                steps.push(entry?.1.value().to_vec());
            }
            Ok(steps)
        })?;
        steps.iter().map(|step| understood(id, step)).collect()
    }
}

fn understood<T: DeserializeOwned>(id: AgentId, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| failed(id)(RecordError::Damaged))
}
