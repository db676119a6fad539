//! A worker as its parent sees it.

use std::io::BufReader;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::wire::{Kind, Reply, Request, Setup, receive, send};
use crate::error::EvalError;
use crate::memory::Memory;

/// A running worker. Dropping it ends it.
#[derive(Debug)]
pub struct Worker {
    kind: Kind,
    child: Child,
    /// `None` only while it is dropped.
    requests: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    /// Its memory when the policy was loaded.
    loaded: Memory,
}

impl Worker {
    /// Starts `program bench-worker` and lets it load its policy.
    ///
    /// # Errors
    /// When it does not start or cannot load the policy.
    pub fn start(program: &Path, setup: &Setup) -> Result<Self, EvalError> {
        let mut child = Command::new(program)
            .arg("bench-worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(EvalError::file(program))?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            unreachable!("both were asked for");
        };
        let mut worker = Self {
            kind: setup.kind,
            child,
            requests: Some(requests),
            replies: BufReader::new(replies),
            loaded: Memory::default(),
        };
        worker.loaded = worker.ask(&Request::Load(Box::new(setup.clone())))?.memory;
        Ok(worker)
    }

    /// Who it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its memory when the policy was loaded.
    #[must_use]
    pub fn loaded(&self) -> Memory {
        self.loaded
    }

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    /// When the worker died, or says that it could not do it.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, EvalError> {
        let lost = |problem: String| EvalError::Worker { problem };
        let name = self.kind.name();
        if let Some(requests) = &mut self.requests {
            send(requests, request)
                .map_err(|error| lost(format!("the worker `{name}` is gone: {error}")))?;
        }
        let reply: Option<Reply> = receive(&mut self.replies)
            .map_err(|error| lost(format!("the worker `{name}` said nonsense: {error}")))?;
        let Some(reply) = reply else {
            let how = self.child.wait();
            let how = how.map_or_else(|error| error.to_string(), |status| status.to_string());
            return Err(lost(format!("the worker `{name}` ended: {how}")));
        };
        match reply.error {
            Some(problem) => Err(lost(format!("{name}: {problem}"))),
            None => Ok(reply),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It ends when its input does; one that hangs is not waited for.
        self.requests.take();
        let ended = (0..50).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            matches!(self.child.try_wait(), Ok(Some(_)))
        });
        if !ended {
            // It may have ended just now; then there is nothing left to kill.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
