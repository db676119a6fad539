//! The agents on disk.
//!
//! | module | holds |
//! |---|---|
//! | [`handle`] | [`Store`]: reading and writing |
//! | [`record`] | [`AgentRecord`]: all that is kept of one agent, in [`record::RECORD`] bytes |
//! | [`episodes`] | episodes that the daemon plays itself: what was asked for, the steps so far |
//! | [`id`] | [`AgentId`]: the name of an agent |
//! | [`ahead`] | the file that is written ahead of the database: what steps were asked for, and what came of them |
//! | `pending` | records that stand in that file and not yet in the database |
//! | `database` | the database: its tables, opening it again |
//! | `writer` | the thread that writes both |
//! | [`error`] | [`StoreError`]: why the store could not do what it was asked |
//!
//! # When a step is safe
//!
//! A disk takes milliseconds to sync, and a step must not wait for it. So what a step was asked (its [`Intent`]) is
//! appended to a file and synced *while* the policy thinks. Its record is appended too, without a sync: then it survives the death of
//! every process, but not yet a power cut. A power cut costs at most records whose intents are on disk, and the policy makes
//! these steps again, with the same answers: only where it is known that it does is a step answered like that. Everywhere else
//! (an agent that is made or deleted, the end of an episode, a policy whose answers may differ in the last bits, a model
//! that was switched to a moment ago) the record is synced first.
//!
//! The database takes in the records in one commit a second, or when the file has grown; then the file is cut.
//!
//! redb was chosen because a commit is one atomic switch of its root, checked by a checksum after a crash, and because it is
//! Rust all through.

pub mod ahead;
mod database;
pub mod episodes;
pub mod error;
pub mod handle;
pub mod id;
mod pending;
pub mod record;
#[cfg(test)]
mod tests;
mod writer;

pub use ahead::Intent;
pub use episodes::EpisodeHead;
pub use error::StoreError;
pub use handle::{Intended, Store};
pub use id::AgentId;
pub use record::AgentRecord;
