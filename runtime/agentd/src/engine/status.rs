//! What is known about the worker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stride_client::api::ModelInfo;

use super::maker::Maker;

/// What is known about the worker, shared between the supervisor and those who ask.
#[derive(Debug, Default)]
pub struct Status {
    facts: Mutex<Facts>,
}

/// The worker at one moment.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The model that answers; none while no worker is up.
    pub model: Option<ModelInfo>,
    /// Who makes its steps, if they would be made the same way again.
    pub maker: Option<Maker>,
    /// The name of the model with which the next start of the daemon begins.
    pub settled: String,
    /// The worker's process.
    pub pid: Option<u32>,
    /// When a policy call last finished.
    pub last_finished: Option<Instant>,
    /// Since when steps are out without one of them coming back.
    pub waiting_since: Option<Instant>,
    /// What ended the last worker, or why none can be started.
    pub trouble: Option<String>,
}

impl Status {
    /// The worker now.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.lock().clone()
    }

    /// Who would make a step now, if it would be made the same way again after the next start of the daemon.
    pub(super) fn maker(&self) -> Option<Maker> {
        let facts = self.lock();
        let model = facts.model.as_ref()?;
        facts.maker.filter(|_| model.name == facts.settled)
    }

    /// Takes note that the next start of the daemon begins with the model of this name.
    pub fn settle(&self, model: &str) {
        self.change(|facts| model.clone_into(&mut facts.settled));
    }

    /// Why the engine is not ready: readiness follows finished policy calls, never a mere process. `patience` is the time in
    /// which a call must finish, `pause` the time after which an idle worker is asked to show itself.
    #[must_use]
    pub fn problem(&self, patience: Duration, pause: Duration) -> Option<String> {
        let facts = self.lock();
        if facts.model.is_none() {
            let why = facts.trouble.as_deref().unwrap_or("it is starting");
            return Some(format!("no policy is loaded: {why}"));
        }
        if let Some(since) = facts.waiting_since
            && since.elapsed() > patience
        {
            return Some("no policy call has finished within the deadline".into());
        }
        match facts.last_finished {
            Some(at) if at.elapsed() <= patience + 2 * pause => None,
            _ => Some("no policy call has finished lately".into()),
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Facts> {
        // Plain data: a panic elsewhere leaves it whole.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_finished_calls() {
        let status = Status::default();
        let problem = || status.problem(Duration::from_secs(60), Duration::from_secs(60));
        assert!(problem().unwrap().contains("starting"));
        status.change(|facts| {
            facts.model = Some(ModelInfo {
                name: "a".into(),
                sha256: String::new(),
                bytes: 0,
                context_tokens: 1,
            });
        });
        assert!(problem().unwrap().contains("lately"));
        status.change(|facts| facts.last_finished = Some(Instant::now()));
        assert_eq!(problem(), None);
        status.change(|facts| facts.waiting_since = Some(Instant::now()));
        assert_eq!(problem(), None);
        assert!(
            status
                .problem(Duration::ZERO, Duration::from_secs(60))
                .is_some()
        );
    }
}
