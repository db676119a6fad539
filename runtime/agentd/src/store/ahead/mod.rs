//! The file that is written ahead of the database.
//!
//! | module | holds |
//! |---|---|
//! | `frame` | entries as bytes: numbered, checked, bounded |
//! | `file` | the file: read at the start, appended to, cut |
//! | `syncer` | the thread that syncs it for all who wait |

mod file;
mod frame;
mod syncer;

use serde::{Deserialize, Serialize};

pub(super) use self::file::Ahead;
pub(super) use self::syncer::{Syncer, start};
use super::id::AgentId;
use crate::engine::Maker;

/// All that the answer to a step depends on, beside the agent's record before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The agent.
    pub agent: AgentId,
    /// The policy that is asked, if its answer can be had again; only then is this written down.
    pub maker: Option<Maker>,
    /// When, in seconds since 1970: the record says so.
    pub at: u64,
    /// The id of the request.
    pub request_id: String,
    /// What the world says.
    pub observation: String,
    /// The world did not understand the last action.
    pub invalid: bool,
    /// The world's reward for the last action.
    pub reward: f32,
    /// The actions that the request lists.
    pub admissible: Option<Vec<String>>,
}

impl Intent {
    /// Whether it fits an entry, with some room for lengths.
    pub(super) fn fits(&self) -> bool {
        let listed = self.admissible.iter().flatten();
        let actions: usize = listed.map(|action| action.len() + 4).sum();
        self.observation.len() + actions < frame::MAX_BODY - 1024
    }
}

/// What is written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Entry {
    /// A step is asked for.
    Intent(Intent),
    /// It is made: the agent's record, without the zeros at its end.
    Answer { agent: AgentId, record: Vec<u8> },
    /// It is refused; the agent is as before.
    Void(AgentId),
    /// A step of an episode that the daemon plays itself was done in its world: its number, and the step as JSON.
    Played {
        agent: AgentId,
        number: u32,
        step: Vec<u8>,
    },
}
