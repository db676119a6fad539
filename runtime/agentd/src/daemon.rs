//! The daemon from its start to its end.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use stride_firmware_config::profile::DeviceProfile;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::agents::service::unix_seconds;
use crate::agents::{Actions, Agents, AgentsOptions, Watchers};
use crate::chores::{self, Reloads};
use crate::config::{Config, ConfigError};
use crate::engine::model::Registry;
use crate::engine::{Engine, EngineOptions, ModelError};
use crate::episodes::{Environments, Episodes, EpisodesOptions};
use crate::http::app::{About, App, Bounds};
use crate::http::given::Given;
use crate::http::guard::{Entry, Guard, SharedTokens};
use crate::http::listen::{ListenError, Listener, Place};
use crate::http::tls::{Tls, TlsError};
use crate::http::{router, serve};
use crate::journal::audit::Audit;
use crate::journal::files::Packing;
use crate::journal::transitions::Transitions;
use crate::journal::{Files, Journal};
use crate::metrics::Metrics;
use crate::models::Models;
use crate::notify;
use crate::store::{Store, StoreError};
use crate::tokens::{TokenError, Tokens};

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The device profile.
    #[error(transparent)]
    Profile(#[from] stride_device::ProfileFileError),
    /// The model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sockets.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The tokens.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Runs the daemon until `stop` is ready, then lets it finish what it is at. Whenever `reload` says so, the tokens, the certificate and
/// the name of the model to serve are read again. `given` are the sockets that whoever started it has opened.
///
/// # Errors
/// [`DaemonError`] when it cannot start.
pub async fn run(
    config: &Config,
    mut given: Given,
    stop: impl Future<Output = ()>,
    reload: mpsc::Receiver<()>,
) -> Result<(), DaemonError> {
    let profile = profile_of(config)?;
    tracing::info!(%profile, "profile");
    let metrics = Arc::new(Metrics::new());
    let tokens = match &config.tokens {
        Some(path) => Some(Arc::new(RwLock::new(Tokens::read(path)?))),
        None => None,
    };
    // Sockets before anything slow, so that a second daemon stops at once; connections wait until the agents are read.
    let mut listeners = Vec::new();
    let tls = config.tls.as_ref().map(Tls::read).transpose()?;
    for place in &config.listen {
        listeners.push(Listener::open(config, place, &mut given, tls.as_ref()).await?);
    }
    given.used_up()?;
    let opened = Store::open(&config.state, Arc::clone(&metrics))?;
    let store = opened.store;
    let registry = Registry::new(config.models.clone()).signed_by(config.model_key.clone());
    let model = Models::first(&registry, &store, config.model.as_deref())?;
    let options = engine_options(config, &profile);
    let (engine, engine_thread) =
        Engine::start(registry.clone(), model, options, Arc::clone(&metrics))
            .map_err(|source| system("the supervisor's thread", source))?;
    let (watchers, journal_threads) = watchers(config, &metrics)?;
    let agents = Arc::new(Agents::open(
        store.clone(),
        engine.clone(),
        &profile,
        AgentsOptions {
            steps: config.limits.steps,
            patience: config.limits.patience(),
            sync_answers: config.sync_answers,
        },
        watchers,
        Arc::clone(&metrics),
    )?);
    let recovery = agents.recover(opened.unanswered);
    let episodes = Episodes::new(
        Arc::clone(&agents),
        Environments::new(&config.environments),
        EpisodesOptions {
            at_once: config.limits.episodes,
            max_steps: profile.limits.actions_per_episode,
            observation: profile.capacities.observation,
            patience: config.limits.patience(),
        },
        Arc::clone(&metrics),
    );
    let app = App {
        agents: Arc::clone(&agents),
        episodes: Arc::new(episodes),
        engine: engine.clone(),
        models: Models::new(registry, engine, store),
        metrics: Arc::clone(&metrics),
        texts: Arc::new(Semaphore::new(config.limits.texts as usize)),
        bounds: bounds(config),
        about: Arc::new(About {
            started_at: unix_seconds(),
            profile: profile.name.to_string(),
            budget_bytes: profile.memory.budget_bytes,
            state: config.state.clone(),
        }),
    };
    let served = Served {
        config,
        app,
        tokens,
        tls,
        recovery,
    };
    served.until(stop, reload, listeners).await;
    drop(agents);
    join("the supervisor", engine_thread).await;
    join("the store", opened.thread).await;
    for thread in journal_threads {
        join("a journal", thread).await;
    }
    tracing::info!("ended in order");
    Ok(())
}

/// The guard and the journals, and the threads that write them.
fn watchers(
    config: &Config,
    metrics: &Arc<Metrics>,
) -> Result<(Watchers, Vec<std::thread::JoinHandle<()>>), DaemonError> {
    let thread = |source| system("a journal's thread", source);
    let mut threads = Vec::new();
    let files = Files::new(config.audit.bounds(&config.state), "audit", Packing::Plain);
    let (audit, writes) = Journal::start(
        "audit log",
        files,
        Audit(config.redactor()?),
        metrics.audit.clone(),
    )
    .map_err(thread)?;
    threads.push(writes);
    let mut log = None;
    if config.log.enabled {
        let bounds = config.log.bounds(&config.state);
        let files = Files::new(bounds, "transitions", Packing::Zstd);
        let scribe = Transitions::new(config.redactor()?, config.log.pending_bytes);
        let counts = metrics.transitions.clone();
        let (journal, writes) =
            Journal::start("transition log", files, scribe, counts).map_err(thread)?;
        log = Some(journal);
        threads.push(writes);
    }
    let actions = Actions::new(config.action_guard()?, audit, Arc::clone(metrics));
    Ok((Watchers { actions, log }, threads))
}

/// The daemon while it serves.
struct Served<'a> {
    config: &'a Config,
    app: App,
    tokens: Option<SharedTokens>,
    tls: Option<Tls>,
    /// Steps from before the start that are made again.
    recovery: JoinSet<()>,
}

impl Served<'_> {
    async fn until(
        mut self,
        stop: impl Future<Output = ()>,
        reload: mpsc::Receiver<()>,
        listeners: Vec<Listener>,
    ) {
        let (closing, closed) = watch::channel(false);
        let grace = Duration::from_secs(self.config.limits.grace_seconds);
        let mut servers = Vec::new();
        for listener in listeners {
            let place = listener.place();
            tracing::info!(%place, "listening");
            let (bounds, metrics) = (self.app.bounds, Arc::clone(&self.app.metrics));
            let guard = Guard::new(
                self.entry(place),
                self.config.limits.rate,
                Arc::clone(&metrics),
            );
            let router = router::router(self.app.clone(), guard);
            let served = serve::serve(listener, router, bounds, metrics, closed.clone(), grace);
            servers.push(tokio::spawn(served));
        }
        let reloads = Reloads {
            tokens: self.config.tokens.clone().zip(self.tokens.clone()),
            tls: self.tls.clone(),
            models: Arc::clone(&self.app.models),
        };
        let mut chores = chores::begin(Arc::clone(&self.app.agents), reloads, reload);
        chores.spawn(notify::keep_told(self.app.clone()));
        stop.await;
        tracing::info!("shutting down; running steps are finished");
        chores.shutdown().await;
        self.recovery.shutdown().await;
        notify::stopping();
        // Fails only when every listener is gone already.
        let _ = closing.send(true);
        self.app.episodes.close();
        self.app.agents.close().await;
        for server in servers {
            if let Err(error) = server.await {
                tracing::error!(%error, "a listener ended badly");
            }
        }
    }

    fn entry(&self, place: &Place) -> Entry {
        match (place, &self.tokens) {
            (Place::Unix(_), _) => Entry::Permissions,
            (_, Some(tokens)) => Entry::Tokens(Arc::clone(tokens)),
            (Place::Tcp(address) | Place::Tls(address), None) if address.ip().is_loopback() => {
                Entry::ThisMachine
            }
            (_, None) => Entry::Anybody,
        }
    }
}

/// The device profile that the settings name.
///
/// # Errors
/// When it is none.
pub fn profile_of(config: &Config) -> Result<DeviceProfile, stride_device::ProfileFileError> {
    match &config.profile {
        Some(name) => stride_device::profile_here(name),
        None => Ok(DeviceProfile::standard()),
    }
}

/// How the settings and the profile want the worker.
#[must_use]
pub fn engine_options(config: &Config, profile: &DeviceProfile) -> EngineOptions {
    let worker = &config.worker;
    let of_profile = config.profile.as_ref().map(|_| profile.inference.threads);
    EngineOptions {
        // The same program, even after its file was replaced by an upgrade.
        program: PathBuf::from("/proc/self/exe"),
        profile: profile.clone(),
        threads: config.threads.or(of_profile).unwrap_or(1),
        constrain: config.constrain,
        // Settings, so there is nothing in them that JSON could not hold.
        rules: serde_json::to_string(&config.guard).unwrap_or_default(),
        tell_calls: config.log.enabled,
        load_deadline: Duration::from_secs(worker.load_seconds),
        step_deadline: Duration::from_secs(worker.step_seconds),
        probe_pause: Duration::from_secs(worker.probe_seconds),
        slots: worker.slots,
        texts: config.limits.texts,
        queue: config.limits.steps,
        probation: worker.probation_steps,
    }
}

fn bounds(config: &Config) -> Bounds {
    let (limits, worker) = (&config.limits, &config.worker);
    Bounds {
        body_bytes: limits.body_bytes,
        body_deadline: Duration::from_secs(limits.body_seconds),
        head_deadline: Duration::from_secs(limits.head_seconds),
        connections: limits.connections,
        step_deadline: Duration::from_secs(worker.step_seconds),
        probe_pause: Duration::from_secs(worker.probe_seconds),
        text_deadline: Duration::from_secs(limits.text_seconds),
    }
}

async fn join(what: &'static str, thread: std::thread::JoinHandle<()>) {
    let ended = tokio::task::spawn_blocking(move || thread.join()).await;
    if !matches!(ended, Ok(Ok(()))) {
        tracing::error!(what, "a thread ended badly");
    }
}

fn system(what: &'static str, source: std::io::Error) -> DaemonError {
    DaemonError::System { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    #[test]
    fn what_was_measured_on_this_processor_decides_how_the_worker_runs() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let wanted = |processor: &str| {
            let text = format!(
                "[inference]\nthreads = 4\nbatch_tokens = 256\n[measured]\npolicy = ''\nprocessor = '{processor}'\n\
                 threads = 3\nbatch_tokens = 32\nresident_bytes = 0\nanonymous_bytes = 0\n"
            );
            std::fs::write(&file, text).unwrap();
            let config = Config::settle(Flags {
                profile: Some(file.path().to_str().unwrap().to_owned()),
                models: Some("models".into()),
                state: Some("state".into()),
                listen: vec![Place::Unix("socket".into())],
                ..Flags::default()
            });
            let config = config.unwrap();
            let options = engine_options(&config, &profile_of(&config).unwrap());
            (options.threads, options.profile.inference.batch_tokens)
        };
        assert_eq!(wanted("another processor"), (4, 256));
        if let Some(processor) = stride_device::processor() {
            assert_eq!(wanted(&processor), (3, 32));
        }
    }
}
