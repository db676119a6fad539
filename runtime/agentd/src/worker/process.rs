//! The life of a worker: load, then answer until the daemon hangs up.

use std::collections::HashSet;
use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::hands::Asked;
use super::link::{self, LinkError};
use super::protocol::{FromWorker, ToWorker};

/// Why a worker ended before its daemon did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// It was not started by a daemon.
    #[error(
        "a worker is started by stride-agentd itself; its standard input must be a socket: {0}"
    )]
    NoDaemon(#[source] io::Error),
    /// The daemon said something out of order.
    #[error("the daemon did not begin with a policy to load")]
    OutOfOrder,
    /// The connection broke.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Runs the worker on the socket that is its standard input, with the policy in the file that is its standard output.
///
/// # Errors
/// [`WorkerError`]. A daemon that hangs up ends the worker without an error.
pub fn run() -> Result<(), WorkerError> {
    die_with_the_daemon();
    let socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(UnixStream::from)
        .map_err(WorkerError::NoDaemon)?;
    socket.peer_addr().map_err(WorkerError::NoDaemon)?;
    let mut from = BufReader::new(socket.try_clone().map_err(WorkerError::NoDaemon)?);
    let mut to = socket;
    let Some(first) = link::read::<ToWorker>(&mut from)? else {
        return Ok(());
    };
    let ToWorker::Load(load) = first else {
        return Err(WorkerError::OutOfOrder);
    };
    let asked = match Asked::load(&load) {
        Ok(asked) => asked,
        Err(message) => return Ok(link::write(&mut to, &FromWorker::Refused { message })?),
    };
    let loaded = FromWorker::Loaded {
        context_tokens: asked.context_tokens(),
        slots: asked.slots(),
        repeatable: asked.is_repeatable(),
    };
    link::write(&mut to, &loaded)?;
    // Each step is made by one pair of hands, which waits while the policy answers: one more than there are slots, so that the
    // next step is there when one is done, and those that hold texts.
    let hands = asked.slots() + 1 + load.texts;
    let (jobs, waiting) = mpsc::channel();
    let office = Office {
        waiting: Mutex::new(waiting),
        texts: Mutex::default(),
        to: Mutex::new(to),
    };
    std::thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                let _end = EndTogether;
                office.work(&asked);
            });
        }
        loop {
            match link::read(&mut from)? {
                None => break,
                Some(ToWorker::Load(_)) => return Err(WorkerError::OutOfOrder),
                Some(ToWorker::Cancel { job }) => office.forget(job),
                Some(message) => {
                    if let ToWorker::Text { job, .. } = message {
                        office.texts().insert(job);
                    }
                    // Fails only when no hands are left, and they end together.
                    drop(jobs.send(message));
                }
            }
        }
        drop(jobs);
        Ok(())
    })
}

/// What all hands share.
struct Office {
    waiting: Mutex<Receiver<ToWorker>>,
    /// Texts that somebody waits for.
    texts: Mutex<HashSet<u64>>,
    to: Mutex<UnixStream>,
}

impl Office {
    /// Does one job after another until there are no more.
    fn work(&self, asked: &Asked) {
        loop {
            let waiting = self.waiting.lock();
            let next = waiting.unwrap_or_else(PoisonError::into_inner).recv();
            let answer = match next {
                Err(_) => return,
                // The loop that reads does not hand them on.
                Ok(ToWorker::Load(_) | ToWorker::Cancel { .. }) => continue,
                Ok(ToWorker::Probe) => FromWorker::Probed {
                    result: asked.probe(),
                },
                Ok(ToWorker::Step { job, step }) => FromWorker::Stepped {
                    job,
                    result: asked.make(&step),
                },
                Ok(ToWorker::Text { job, text }) => {
                    let wanted = || self.texts().contains(&job);
                    asked.text(text, wanted, |output| {
                        self.say(&FromWorker::Text { job, output });
                    });
                    self.forget(job);
                    continue;
                }
            };
            self.say(&answer);
        }
    }

    fn texts(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, text: u64) {
        self.texts().remove(&text);
    }

    fn say(&self, answer: &FromWorker) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = link::write(&mut *to, answer) {
            // The daemon is gone, or no longer understood.
            eprintln!("stride-agentd worker: {error}");
            std::process::exit(1);
        }
    }
}

/// A thread that panics takes the worker with it: the daemon then starts another, instead of waiting for an answer.
struct EndTogether;

impl Drop for EndTogether {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// A daemon that was killed cannot stop its worker, and a worker inside the policy does not see that the socket is closed.
fn die_with_the_daemon() {
    let asked =
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    if let Err(error) = asked {
        eprintln!("stride-agentd worker: it may outlive its daemon: {error}");
    }
}
