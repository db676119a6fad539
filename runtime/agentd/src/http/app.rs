//! What handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::agents::Agents;
use crate::engine::Engine;
use crate::episodes::Episodes;
use crate::metrics::Metrics;
use crate::models::Models;

/// What handlers share.
#[derive(Debug, Clone)]
pub struct App {
    /// The agents.
    pub agents: Arc<Agents>,
    /// The episodes that the daemon plays itself.
    pub episodes: Arc<Episodes>,
    /// The engine, for its state.
    pub engine: Engine,
    /// The models folder.
    pub models: Arc<Models>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// One permit for each text that may be continued at once.
    pub texts: Arc<Semaphore>,
    /// Bounds on requests.
    pub bounds: Bounds,
    /// What does not change while the daemon runs.
    pub about: Arc<About>,
}

/// What does not change while the daemon runs, for people who look at it.
#[derive(Debug)]
pub struct About {
    /// When it was started, in seconds since 1970.
    pub started_at: u64,
    /// The name of the device profile.
    pub profile: String,
    /// Bytes of memory that the profile allows.
    pub budget_bytes: u64,
    /// The state folder.
    pub state: PathBuf,
}

/// Bounds on requests.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of a request's body at most.
    pub body_bytes: usize,
    /// Time in which a body must be there.
    pub body_deadline: Duration,
    /// Time in which a request's head must be there, in which a client must take some of its answer, and that an idle connection
    /// is kept.
    pub head_deadline: Duration,
    /// Connections on one listener at most.
    pub connections: usize,
    /// Time in which a policy call must finish, for readiness.
    pub step_deadline: Duration,
    /// Time after which an idle worker is probed, for readiness.
    pub probe_pause: Duration,
    /// Time in which a text must be complete.
    pub text_deadline: Duration,
}
