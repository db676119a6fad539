//! What stands in the file ahead of the database, and not yet in the database.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::id::AgentId;
use super::record::RECORD;

/// A record.
#[derive(Debug)]
struct Kept {
    /// The number of its entry.
    number: u64,
    /// The record without the zeros at its end.
    record: Box<[u8]>,
}

/// A step of an episode that the daemon plays: the agent, its number, and the step as JSON.
type Played = (AgentId, u32, Vec<u8>);

/// What stands in the file ahead of the database, and not yet in the database. The turn of an agent keeps the readers and the writer of its
/// record apart.
#[derive(Debug, Default)]
pub(super) struct Pending {
    records: RwLock<HashMap<AgentId, Kept>>,
    played: RwLock<Vec<Played>>,
}

impl Pending {
    pub(super) fn put(&self, agent: AgentId, number: u64, record: Vec<u8>) {
        let record = record.into_boxed_slice();
        write(&self.records).insert(agent, Kept { number, record });
    }

    pub(super) fn put_played(&self, agent: AgentId, number: u32, step: Vec<u8>) {
        write(&self.played).push((agent, number, step));
    }

    /// The record of an agent, as long as it must be.
    pub(super) fn get(&self, agent: &AgentId) -> Option<[u8; RECORD]> {
        read(&self.records)
            .get(agent)
            .map(|kept| whole(&kept.record))
    }

    /// The number of the entry that holds the record of an agent.
    pub(super) fn number(&self, agent: &AgentId) -> Option<u64> {
        read(&self.records).get(agent).map(|kept| kept.number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        read(&self.records).len() + read(&self.played).len()
    }

    /// Calls `each` with every record.
    pub(super) fn for_each<E>(
        &self,
        mut each: impl FnMut(&AgentId, &[u8; RECORD]) -> Result<(), E>,
    ) -> Result<(), E> {
        let kept = read(&self.records);
        kept.iter()
            .try_for_each(|(agent, kept)| each(agent, &whole(&kept.record)))
    }

    /// Calls `each` with every step of an episode, in their order.
    pub(super) fn for_each_played<E>(
        &self,
        mut each: impl FnMut(&AgentId, u32, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let played = read(&self.played);
        played
            .iter()
            .try_for_each(|(agent, number, step)| each(agent, *number, step))
    }

    /// Forgets all: they are in the database.
    pub(super) fn clear(&self) {
        *write(&self.records) = HashMap::new();
        *write(&self.played) = Vec::new();
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// The record without the zeros at its end.
pub(super) fn short(record: &[u8; RECORD]) -> Vec<u8> {
    let end = record.iter().rposition(|byte| *byte != 0);
    record[..end.map_or(0, |end| end + 1)].to_vec()
}

fn whole(short: &[u8]) -> [u8; RECORD] {
    let mut record = [0; RECORD];
    // One that is too long is no record, and is found out by its checksum.
    let length = short.len().min(RECORD);
    record[..length].copy_from_slice(&short[..length]);
    record
}
