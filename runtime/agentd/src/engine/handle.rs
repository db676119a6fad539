//! What the rest of the daemon holds of the engine.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use stride_client::api::ModelInfo;
use stride_firmware_config::profile::DeviceProfile;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::maker::Maker;
use super::model::{Model, ModelError, Registry};
use super::status::Status;
use super::supervisor;
use crate::metrics::Metrics;
use crate::worker::protocol::{StepInput, StepOutcome, TextInput, TextOutput, ToWorker};

/// How workers are started and asked.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The program whose subcommand `worker` is the worker: the daemon itself.
    pub program: PathBuf,
    /// The device profile.
    pub profile: DeviceProfile,
    /// CPU threads of the policy.
    pub threads: u32,
    /// Decode actions along verb templates.
    pub constrain: bool,
    /// What else decides an answer, as text: the rules of the guard.
    pub rules: String,
    /// Have the worker tell what the policy was asked and said.
    pub tell_calls: bool,
    /// Time in which a policy must be loaded.
    pub load_deadline: Duration,
    /// Time in which the next of the steps in the worker must be made; a worker that takes longer hangs and is killed.
    pub step_deadline: Duration,
    /// Time without a step after which the worker is asked to show that it answers.
    pub probe_pause: Duration,
    /// Calls that are answered together at most; 0: as many as the memory of the profile allows.
    pub slots: u32,
    /// Texts that are continued at once.
    pub texts: u32,
    /// Steps that wait for the worker at most.
    pub queue: usize,
    /// Steps after the switch to another model in which a failure brings the one before back.
    pub probation: u32,
}

/// Why a step was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepFailure {
    /// The policy cannot answer this step, and could not if it were asked again.
    #[error("the policy could not answer: {0}")]
    Policy(String),
    /// The worker died or hung each time this step was in it.
    #[error(
        "the worker ended {attempts} times while it made this step; the agent is as it was before"
    )]
    Deadly {
        /// How often.
        attempts: u32,
    },
    /// A text cannot be continued as was asked.
    #[error("{0}")]
    Refused(String),
    /// The worker ended while it continued a text, which is not begun again.
    #[error("the worker ended; ask again")]
    Lost,
    /// A text was not complete in time.
    #[error("the text was not complete within {seconds} s (limits.text_seconds in the settings)")]
    Late {
        /// The time that a text may take, waiting included.
        seconds: u64,
    },
    /// Too many steps wait.
    #[error("too many steps wait for the policy")]
    Busy,
    /// The daemon shuts down.
    #[error("the daemon is shutting down")]
    Closed,
}

/// A step that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What came of it.
    pub outcome: StepOutcome,
    /// Who made it, if it would be made the same way again.
    pub maker: Option<Maker>,
}

/// What is wanted, and who is told.
#[derive(Debug)]
pub(super) enum Work {
    /// A step.
    Step {
        step: StepInput,
        reply: oneshot::Sender<Result<Made, StepFailure>>,
    },
    /// A text.
    Text {
        text: TextInput,
        to: mpsc::UnboundedSender<TextOutcome>,
        /// Free again when the worker is done with the text.
        place: OwnedSemaphorePermit,
    },
}

/// What comes of a text.
pub type TextOutcome = Result<TextOutput, StepFailure>;

/// A step or a text on its way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    /// Times that a worker ended with this step alone in it.
    pub(super) attempts: u32,
    /// It was in a worker that ended.
    pub(super) suspect: bool,
}

impl Job {
    fn new(work: Work) -> Self {
        Self {
            work,
            attempts: 0,
            suspect: false,
        }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match &self.work {
            Work::Step { reply, .. } => reply.is_closed(),
            Work::Text { to, .. } => to.is_closed(),
        }
    }

    /// What the worker is told.
    pub(super) fn message(&self, job: u64) -> ToWorker {
        match &self.work {
            Work::Step { step, .. } => ToWorker::Step {
                job,
                step: step.clone(),
            },
            Work::Text { text, .. } => ToWorker::Text {
                job,
                text: text.clone(),
            },
        }
    }

    /// Tells whoever waits for a text how it ended; they may have given up.
    pub(super) fn finish(self, output: TextOutput) {
        if let Work::Text { to, place, .. } = self.work {
            // Before the client knows, who may ask again at once.
            drop(place);
            drop(to.send(Ok(output)));
        }
    }

    /// Tells whoever waits that nothing comes of it; they may have given up.
    pub(super) fn fail(self, failure: StepFailure) {
        match self.work {
            Work::Step { reply, .. } => drop(reply.send(Err(failure))),
            Work::Text { to, place, .. } => {
                // As above.
                drop(place);
                drop(to.send(Err(failure)));
            }
        }
    }
}

/// A wish of an operator.
#[derive(Debug)]
pub(super) enum Wish {
    /// Serve this model from now on.
    Activate {
        model: Model,
        reply: oneshot::Sender<Result<ModelInfo, ModelError>>,
    },
}

/// The engine: steps go in, steps come out; the worker's death is not noticed here.
#[derive(Debug, Clone)]
pub struct Engine {
    jobs: mpsc::Sender<Job>,
    wishes: mpsc::Sender<Wish>,
    current: watch::Receiver<String>,
    status: Arc<Status>,
    /// Dropped with the last engine, which the supervisor sees whatever it is at.
    _alive: mpsc::Sender<Infallible>,
}

impl Engine {
    /// Starts the supervisor, which loads the model of the registry. The engine takes steps at once; they wait until it is there.
    /// The thread ends when the last engine is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        registry: Registry,
        model: Model,
        options: EngineOptions,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, incoming) = mpsc::channel(options.queue);
        let (wishes, wished) = mpsc::channel(4);
        let status = Arc::new(Status::default());
        status.settle(&model.name);
        let (names, current) = watch::channel(model.name.clone());
        let (alive, ended) = mpsc::channel(1);
        let engine = Self {
            jobs,
            wishes,
            current,
            status: Arc::clone(&status),
            _alive: alive,
        };
        let models = (registry, model, names);
        let incoming = (incoming, wished, ended);
        let thread = supervisor::start(models, options, incoming, status, metrics)?;
        Ok((engine, thread))
    }

    /// Makes a step, whatever happens to the worker meanwhile.
    ///
    /// # Errors
    /// [`StepFailure`].
    pub async fn step(&self, step: StepInput) -> Result<Made, StepFailure> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Work::Step { step, reply })?;
        answer.await.unwrap_or(Err(StepFailure::Closed))
    }

    /// Continues a text, which takes a `place` until it is complete. What comes of it is at most as long as the context, so it is not
    /// held back. When the receiver is dropped, so is the text.
    ///
    /// # Errors
    /// When it cannot be begun.
    pub fn text(
        &self,
        text: TextInput,
        place: OwnedSemaphorePermit,
    ) -> Result<mpsc::UnboundedReceiver<TextOutcome>, StepFailure> {
        let (to, outcomes) = mpsc::unbounded_channel();
        self.enqueue(Work::Text { text, to, place })?;
        Ok(outcomes)
    }

    fn enqueue(&self, work: Work) -> Result<(), StepFailure> {
        self.jobs
            .try_send(Job::new(work))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StepFailure::Busy,
                mpsc::error::TrySendError::Closed(_) => StepFailure::Closed,
            })
    }

    /// Loads a model beside the one that serves, and switches to it between two steps.
    ///
    /// # Errors
    /// When it was refused; the one before serves on.
    pub async fn activate(&self, model: Model) -> Result<ModelInfo, ModelError> {
        let (reply, answer) = oneshot::channel();
        let wish = Wish::Activate { model, reply };
        self.wishes
            .send(wish)
            .await
            .map_err(|_| ModelError::Closed)?;
        answer.await.unwrap_or(Err(ModelError::Closed))
    }

    /// The name of the model that is to answer, and every change of it. It ends with the engine.
    #[must_use]
    pub fn current(&self) -> watch::Receiver<String> {
        self.current.clone()
    }

    /// Who would make a step now, if it would be made the same way again after the next start of the daemon.
    #[must_use]
    pub fn maker(&self) -> Option<Maker> {
        self.status.maker()
    }

    /// What is known about the worker.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }
}
