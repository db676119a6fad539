//! The agents on disk.
//!
//! | module | holds |
//! |---|---|
//! | [`record`] | [`AgentRecord`]: all that is kept of one agent, in [`record::RECORD`] bytes |
//! | [`database`] | the file, its tables, reading |
//! | [`writer`] | the thread that writes: one commit for all records that wait |
//!
//! redb was chosen because a commit is one atomic switch of its root, checked by a checksum after a crash, and because it is
//! Rust all through. A record is written, synced, and only then answered for.

pub mod database;
pub mod record;
pub mod writer;

pub use database::{AgentId, Store, StoreError};
pub use record::AgentRecord;
