//! The thread that writes: all that waits goes into one commit, so that many agents share the time of one sync.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use redb::Database;
use tokio::sync::{mpsc, oneshot};

use super::database::{AGENTS, AgentId, NOTES, Shared, StoreError, VOCABULARIES};
use super::record::RECORD;
use crate::metrics::Metrics;

/// Writes of one commit at most.
const BATCH: usize = 256;

/// One thing to write, and whom to tell.
#[derive(Debug)]
pub(super) enum Write {
    /// An agent; the vocabulary of one that is there stays when none is given.
    Put {
        id: AgentId,
        bytes: Box<[u8; RECORD]>,
        vocabulary: Option<Vec<u8>>,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    /// The end of an agent.
    Delete {
        id: AgentId,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
    /// A note of the daemon to itself.
    Note {
        key: &'static str,
        value: String,
        reply: oneshot::Sender<Result<(), StoreError>>,
    },
}

impl Write {
    fn reply(self, result: Result<(), StoreError>) {
        let (Self::Put { reply, .. } | Self::Delete { reply, .. } | Self::Note { reply, .. }) =
            self;
        // Whoever asked may have given up.
        let _ = reply.send(result);
    }
}

pub(super) fn start(
    shared: Arc<Shared>,
    mut waiting: mpsc::Receiver<Write>,
    metrics: Arc<Metrics>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name("store".into())
        .spawn(move || {
            let mut batch = Vec::with_capacity(BATCH);
            while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
                commit(&shared, &mut batch, &metrics);
            }
        })
}

fn commit(shared: &Shared, batch: &mut Vec<Write>, metrics: &Metrics) {
    let start = Instant::now();
    if !shared.is_open()
        && let Err(error) = shared.reopen()
    {
        tracing::error!(%error, "the state file stays closed");
    }
    let written = shared.with(|database| write(database, batch));
    let Err(error) = written else {
        metrics
            .commit_seconds
            .observe(start.elapsed().as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "at most 256")]
        metrics.commit_records.observe(batch.len() as f64);
        for write in batch.drain(..) {
            write.reply(Ok(()));
        }
        return;
    };
    metrics.commit_failures.inc();
    tracing::error!(%error, records = batch.len(), "commit failed; no step of it is answered");
    // Opened again before anybody is told, so that whoever tries again finds what really was written.
    if shared.is_open()
        && let Err(error) = shared.reopen()
    {
        tracing::error!(%error, "the state file cannot be opened again yet");
    }
    let reason = error.to_string();
    for write in batch.drain(..) {
        write.reply(Err(StoreError::Commit(reason.clone())));
    }
}

fn write(database: &Database, batch: &[Write]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut agents = transaction.open_table(AGENTS)?;
        let mut vocabularies = transaction.open_table(VOCABULARIES)?;
        let mut notes = transaction.open_table(NOTES)?;
        for write in batch {
            match write {
                Write::Put {
                    id,
                    bytes,
                    vocabulary,
                    ..
                } => {
                    agents.insert(id.key(), &**bytes)?;
                    if let Some(vocabulary) = vocabulary {
                        vocabularies.insert(id.key(), &**vocabulary)?;
                    }
                }
                Write::Delete { id, .. } => {
                    agents.remove(id.key())?;
                    vocabularies.remove(id.key())?;
                }
                Write::Note { key, value, .. } => drop(notes.insert(*key, value.as_str())?),
            }
        }
    }
    Ok(transaction.commit()?)
}
