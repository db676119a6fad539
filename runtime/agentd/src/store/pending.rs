//! Records that stand in the file ahead of the database, and not yet in the database.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::id::AgentId;
use super::record::RECORD;

/// One of them.
#[derive(Debug)]
struct Kept {
    /// The number of its entry.
    number: u64,
    /// The record without the zeros at its end.
    record: Box<[u8]>,
}

/// Records that stand in the file ahead of the database, and not yet in the database. The turn of an agent keeps its readers and its
/// writer apart.
#[derive(Debug, Default)]
pub(super) struct Pending(RwLock<HashMap<AgentId, Kept>>);

impl Pending {
    pub(super) fn put(&self, agent: AgentId, number: u64, record: Vec<u8>) {
        let record = record.into_boxed_slice();
        self.write().insert(agent, Kept { number, record });
    }

    /// The record of an agent, as long as it must be.
    pub(super) fn get(&self, agent: &AgentId) -> Option<[u8; RECORD]> {
        self.read().get(agent).map(|kept| whole(&kept.record))
    }

    /// The number of the entry that holds the record of an agent.
    pub(super) fn number(&self, agent: &AgentId) -> Option<u64> {
        self.read().get(agent).map(|kept| kept.number)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    /// Calls `each` with every record.
    pub(super) fn for_each<E>(
        &self,
        mut each: impl FnMut(&AgentId, &[u8; RECORD]) -> Result<(), E>,
    ) -> Result<(), E> {
        let kept = self.read();
        kept.iter()
            .try_for_each(|(agent, kept)| each(agent, &whole(&kept.record)))
    }

    /// Forgets all: they are in the database.
    pub(super) fn clear(&self) {
        *self.write() = HashMap::new();
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<AgentId, Kept>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<AgentId, Kept>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
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
