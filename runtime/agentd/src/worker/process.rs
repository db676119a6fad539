//! The life of a worker: load, then answer until the daemon hangs up.

use std::io::{self, BufReader};
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use stride_agent::agent::Limits;
use stride_agent::policy::Policy;
use stride_engine::{ActionTemplates, EngineOptions, LlamaPolicy};
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::profile::DeviceProfile;

use super::link::{self, LinkError};
use super::protocol::{FromWorker, Load, StepInput, StepOutcome, ToWorker};
use super::step;

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

/// Runs the worker on the socket that is its standard input.
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
    let mut asked = match Asked::load(&load) {
        Ok(asked) => asked,
        Err(message) => return Ok(link::write(&mut to, &FromWorker::Refused { message })?),
    };
    let context_tokens = asked.policy.context_tokens();
    link::write(&mut to, &FromWorker::Loaded { context_tokens })?;
    while let Some(message) = link::read(&mut from)? {
        let answer = match message {
            ToWorker::Load(_) => return Err(WorkerError::OutOfOrder),
            ToWorker::Probe => FromWorker::Probed {
                result: asked.probe(),
            },
            ToWorker::Step { job, step } => FromWorker::Stepped {
                job,
                result: asked.make(&step),
            },
        };
        link::write(&mut to, &answer)?;
    }
    Ok(())
}

/// A daemon that was killed cannot stop its worker, and a worker inside the policy does not see that the socket is closed.
fn die_with_the_daemon() {
    let asked =
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    if let Err(error) = asked {
        eprintln!("stride-agentd worker: it may outlive its daemon: {error}");
    }
}

/// A policy and the limits of the agents that it moves.
struct Asked {
    policy: LlamaPolicy,
    limits: Limits,
    max_actions: u32,
    tell_calls: bool,
}

impl Asked {
    fn load(load: &Load) -> Result<Self, String> {
        let profile: DeviceProfile =
            serde_json::from_str(&load.profile).map_err(|error| format!("profile: {error}"))?;
        let options = EngineOptions {
            threads: NonZeroU32::new(load.threads).unwrap_or(NonZeroU32::MIN),
            constraint: load.constrain.then(ActionTemplates::default),
            ..EngineOptions::default()
        };
        let policy = LlamaPolicy::load(Path::new(&load.path), options.under_profile(&profile))
            .map_err(|error| error.to_string())?;
        let mut asked = Self {
            policy,
            limits: Limits::of_profile(&profile),
            max_actions: profile.limits.actions_per_episode,
            tell_calls: load.tell_calls,
        };
        asked.probe()?;
        Ok(asked)
    }

    fn make(&mut self, step: &StepInput) -> Result<StepOutcome, String> {
        let Self {
            policy,
            limits,
            max_actions,
            tell_calls,
        } = self;
        step::make(policy, limits, *max_actions, step, *tell_calls)
            .map_err(|error| error.to_string())
    }

    /// Lets the policy answer a frame that every policy has room for.
    fn probe(&mut self) -> Result<(), String> {
        let frame = StepFrame::Low {
            scene: "",
            observation: "You are in the middle of a room.",
            subtask: "look around",
            progress: "",
        };
        self.policy
            .utter(&frame)
            .map(drop)
            .map_err(|error| error.to_string())
    }
}
