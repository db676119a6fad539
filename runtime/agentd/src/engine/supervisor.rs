//! The thread that owns the workers.
//!
//! Rules:
//! - Steps go to the worker in the order in which they came, one more at once than it answers calls together.
//! - A worker that ends, hangs (no step comes back within the deadline) or talks nonsense is killed and replaced. Steps that
//!   were in it are suspects: they are made again one at a time, so that a step which kills its worker is known by its deed.
//!   A step that was alone in the worker when it ended three times is refused; the agent stays as it was. Texts are not begun again.
//! - An idle worker is probed, so that readiness rests on finished policy calls.
//! - A new model is loaded beside the old one and takes over when no step is out. While its first steps are on probation, a
//!   failure of it (not one of what it was given) brings the old model back, and the step is made again by that.
//! - A model is its file, not its path: a worker reads what was looked at when the model was chosen, whatever has its name now.
//! - When nobody holds the engine any more the thread ends, whether a worker serves or loads.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use stride_client::api::ModelInfo;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle as Task;
use tokio::time::{Instant, sleep, sleep_until};

use super::child::Worker;
use super::handle::{EngineOptions, Job, Made, StepFailure, Wish, Work};
use super::model::{Model, ModelError, Registry};
use super::status::Status;
use crate::metrics::{EndReason, Metrics, SwitchResult};
use crate::worker::protocol::{FromWorker, StepOutcome, TextOutput, ToWorker, Unmade};

/// A step that was alone in a worker which ended this often is refused. Not at the second time: a thousand kills at random hit a step
/// that was begun again once more.
const DEADLY: u32 = 3;

/// Between two attempts to start a worker: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Starts the thread. Workers ask to die with the *thread* that started them, so it lives as long as the daemon does.
pub(super) fn start(
    (registry, model, names): (Registry, Model, watch::Sender<String>),
    options: EngineOptions,
    (jobs, wishes, ended): (
        mpsc::Receiver<Job>,
        mpsc::Receiver<Wish>,
        mpsc::Receiver<Infallible>,
    ),
    status: Arc<Status>,
    metrics: Arc<Metrics>,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let supervisor = Supervisor {
        registry,
        current: model,
        names,
        previous: None,
        probation: 0,
        options,
        jobs,
        wishes,
        ended,
        closing: false,
        suspects: VecDeque::new(),
        last_id: 0,
        loading: None,
        successor: None,
        status,
        metrics,
    };
    std::thread::Builder::new()
        .name("supervisor".into())
        .spawn(move || runtime.block_on(supervisor.run()))
}

struct Supervisor {
    registry: Registry,
    current: Model,
    /// Whoever wants to know its name.
    names: watch::Sender<String>,
    /// The model before, kept for the way back as long as the current one is on probation.
    previous: Option<Model>,
    /// Steps that the current model must still make before it is trusted.
    probation: u32,
    options: EngineOptions,
    jobs: mpsc::Receiver<Job>,
    wishes: mpsc::Receiver<Wish>,
    /// Ends when nobody holds the engine any more.
    ended: mpsc::Receiver<Infallible>,
    closing: bool,
    /// Steps that were in a worker when it ended.
    suspects: VecDeque<Job>,
    last_id: u64,
    loading: Option<Loading>,
    /// A worker with another model that takes over as soon as no step is out.
    successor: Option<(Worker, Reply)>,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
}

/// Why a worker no longer serves.
enum End {
    /// The daemon shuts down, and every step is answered.
    Closed,
    /// It died, hangs or talks nonsense.
    Lost(EndReason),
    /// Its successor is loaded.
    Succeeded,
    /// It is on probation and could not make a step.
    Failed(String),
}

type Reply = oneshot::Sender<Result<ModelInfo, ModelError>>;
type Loading = (Task<Result<Worker, String>>, Model, Reply);

impl Supervisor {
    async fn run(mut self) {
        let mut pause = PAUSES.0;
        loop {
            let started = match self.succeed() {
                Some(successor) => Ok(successor),
                None => {
                    let model = (self.registry.clone(), self.current.clone());
                    tokio::select! {
                        started = start_again(model, &self.options) => started,
                        None = self.ended.recv() => return,
                    }
                }
            };
            match started {
                Ok(worker) => {
                    self.current = worker.model.clone();
                    pause = PAUSES.0;
                    if self.serve_on(worker).await {
                        return;
                    }
                }
                Err(reason) => {
                    tracing::error!(model = %self.current.name, %reason, "no worker");
                    self.status.change(|facts| facts.trouble = Some(reason));
                    if self.roll_back() {
                        continue;
                    }
                    if self.wait(pause).await {
                        return;
                    }
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Serves with this worker until it is lost or replaced; true when the daemon shuts down.
    async fn serve_on(&mut self, mut worker: Worker) -> bool {
        self.up(&worker);
        let mut served = Served::new(&mut worker);
        let end = served.serve(self).await;
        let out = served.out;
        self.down(out, matches!(end, End::Lost(_)));
        match end {
            End::Closed => return true,
            End::Succeeded => {}
            End::Failed(reason) => {
                tracing::error!(model = %self.current.name, %reason, "step failed on probation");
                self.roll_back();
            }
            End::Lost(reason) => {
                let (pid, how) = (worker.pid(), worker.end());
                tracing::error!(pid, how, reason = reason.name(), "worker lost");
                self.metrics.worker_lost(reason);
                self.status
                    .change(|facts| facts.trouble = Some(format!("{}: {how}", reason.name())));
                self.roll_back();
            }
        }
        false
    }

    /// The worker that was loaded to take over, if there is one.
    fn succeed(&mut self) -> Option<Worker> {
        let (worker, reply) = self.successor.take()?;
        let old = std::mem::replace(&mut self.current, worker.model.clone());
        tracing::info!(from = %old.name, to = %worker.model.name, "model switched");
        self.names.send_replace(self.current.name.clone());
        self.probation = self.options.probation;
        self.previous = (self.probation > 0).then_some(old);
        self.metrics.switched(SwitchResult::Done);
        // Whoever wished for it may have hung up.
        let _ = reply.send(Ok(info(&worker)));
        Some(worker)
    }

    fn up(&self, worker: &Worker) {
        let pid = worker.pid();
        tracing::info!(pid, model = %worker.model.name, "worker ready");
        self.status.change(|facts| {
            facts.model = Some(info(worker));
            facts.maker = worker.maker;
            facts.pid = Some(pid);
            // Loading ends with a policy call.
            facts.last_finished = Some(std::time::Instant::now());
            facts.waiting_since = None;
            facts.trouble = None;
        });
    }

    /// Takes back what was out; with a lost worker, these are suspects.
    fn down(&mut self, out: VecDeque<(u64, Job)>, lost: bool) {
        let alone = out.len() == 1;
        for (_, mut job) in out.into_iter().rev() {
            if let Work::Text { .. } = job.work {
                job.fail(StepFailure::Lost);
                continue;
            }
            job.suspect |= lost;
            job.attempts += u32::from(lost && alone);
            if job.attempts >= DEADLY {
                self.metrics.steps_refused_deadly.inc();
                let attempts = job.attempts;
                job.fail(StepFailure::Deadly { attempts });
            } else {
                self.metrics.steps_rerun.inc();
                self.suspects.push_front(job);
            }
        }
        self.status.change(|facts| {
            facts.model = None;
            facts.maker = None;
            facts.pid = None;
            facts.waiting_since = None;
        });
    }

    /// Goes back to the model before, if the current one is still on probation.
    fn roll_back(&mut self) -> bool {
        if self.probation == 0 {
            return false;
        }
        let Some(previous) = self.previous.take() else {
            return false;
        };
        tracing::warn!(from = %self.current.name, to = %previous.name, "rolled back");
        self.names.send_replace(previous.name.clone());
        self.current = previous;
        self.probation = 0;
        self.metrics.switched(SwitchResult::RolledBack);
        true
    }

    fn loaded(&mut self, loaded: Result<Worker, String>) {
        let Some((_, model, reply)) = self.loading.take() else {
            return;
        };
        match loaded {
            Ok(worker) => self.successor = Some((worker, reply)),
            Err(reason) => {
                tracing::error!(model = %model.name, %reason, "model refused");
                self.metrics.switched(SwitchResult::Refused);
                let name = model.name;
                // Whoever wished for it may have hung up.
                let _ = reply.send(Err(ModelError::Refused { name, reason }));
            }
        }
    }

    fn begin_loading(&mut self, wish: Wish) {
        let Wish::Activate { model, reply } = wish;
        let (options, next) = (self.options.clone(), model.clone());
        let load = async move { Worker::start(next, &options).await };
        self.loading = Some((tokio::spawn(load), model, reply));
    }

    /// Waits between two attempts, unless an operator names another model; true when the daemon shuts down.
    async fn wait(&mut self, pause: Duration) -> bool {
        tokio::select! {
            None = self.ended.recv() => return true,
            () = sleep(pause) => {}
            Some(wish) = self.wishes.recv(), if self.loading.is_none() => self.begin_loading(wish),
            loaded = finished(&mut self.loading) => self.loaded(loaded),
        }
        false
    }
}

/// What became of a piece of a text.
enum Text {
    /// There is no such text.
    Unknown,
    /// Somebody waits for more.
    Heard,
    /// Nobody does.
    Unheard,
}

/// One worker while it serves.
struct Served<'a> {
    worker: &'a mut Worker,
    /// Steps in the worker, in order.
    out: VecDeque<(u64, Job)>,
    probing: bool,
    /// Since when something is out without an answer.
    waiting: Option<Instant>,
    /// The last answer, or the start.
    active: Instant,
}

impl<'a> Served<'a> {
    fn new(worker: &'a mut Worker) -> Self {
        Self {
            worker,
            out: VecDeque::new(),
            probing: false,
            waiting: None,
            active: Instant::now(),
        }
    }

    async fn serve(&mut self, of: &mut Supervisor) -> End {
        let patience = of.options.step_deadline;
        loop {
            let idle = self.out.is_empty() && !self.probing;
            if idle {
                if of.successor.is_some() {
                    return End::Succeeded;
                }
                if let Some(job) = of.suspects.pop_front() {
                    if let Err(end) = self.send(of, job).await {
                        return end;
                    }
                    continue;
                }
                if of.closing {
                    return End::Closed;
                }
            }
            let careful = self.out.iter().any(|(_, job)| job.suspect) || !of.suspects.is_empty();
            let room = !careful && self.out.len() < self.window(of);
            let takes = room && !of.closing && of.successor.is_none();
            let late = self.waiting.unwrap_or(self.active) + patience;
            let probe = self.active + of.options.probe_pause;
            tokio::select! {
                answer = self.worker.answers.recv() => {
                    if let Some(end) = self.answered(of, answer).await {
                        return end;
                    }
                }
                job = of.jobs.recv(), if takes => match job {
                    Some(job) => {
                        if let Err(end) = self.send(of, job).await {
                            return end;
                        }
                    }
                    None => of.closing = true,
                },
                () = sleep_until(late), if self.waiting.is_some() => return End::Lost(EndReason::Hang),
                () = sleep_until(probe), if idle => {
                    self.probing = true;
                    if let Err(end) = self.say(of, &ToWorker::Probe).await {
                        return end;
                    }
                }
                Some(wish) = of.wishes.recv(), if of.loading.is_none() && of.successor.is_none() => {
                    of.begin_loading(wish);
                }
                loaded = finished(&mut of.loading) => of.loaded(loaded),
            }
        }
    }

    /// Steps and texts in the worker at once, at most.
    fn window(&self, of: &Supervisor) -> usize {
        self.worker.slots as usize + 1 + of.options.texts as usize
    }

    async fn send(&mut self, of: &mut Supervisor, job: Job) -> Result<(), End> {
        if job.is_abandoned() {
            return Ok(());
        }
        of.last_id += 1;
        let message = job.message(of.last_id);
        self.out.push_back((of.last_id, job));
        self.say(of, &message).await
    }

    async fn say(&mut self, of: &Supervisor, message: &ToWorker) -> Result<(), End> {
        if self.waiting.is_none() {
            self.wait_from(of, Some(Instant::now()));
        }
        match self.worker.send(message, of.options.step_deadline).await {
            Ok(()) => Ok(()),
            Err(_) => Err(End::Lost(EndReason::Died)),
        }
    }

    fn wait_from(&mut self, of: &Supervisor, since: Option<Instant>) {
        self.waiting = since;
        of.status
            .change(|facts| facts.waiting_since = since.map(Instant::into_std));
    }

    async fn answered(&mut self, of: &mut Supervisor, answer: Option<FromWorker>) -> Option<End> {
        let Some(answer) = answer else {
            return Some(End::Lost(EndReason::Died));
        };
        self.active = Instant::now();
        match answer {
            FromWorker::Stepped { job, result } => {
                let at = self.out.iter().position(|(id, _)| *id == job);
                let Some((_, job)) = at.and_then(|at| self.out.remove(at)) else {
                    return Some(End::Lost(EndReason::Nonsense));
                };
                if let Some(end) = self.stepped(of, job, result) {
                    return Some(end);
                }
            }
            FromWorker::Text { job, output } => match self.text(of, job, output) {
                Text::Unknown => return Some(End::Lost(EndReason::Nonsense)),
                Text::Heard => {}
                // Said again when more of it comes, which was on its way.
                Text::Unheard => {
                    if let Err(end) = self.say(of, &ToWorker::Cancel { job }).await {
                        return Some(end);
                    }
                }
            },
            FromWorker::Probed { result: Ok(()) } if self.probing => self.probing = false,
            FromWorker::Probed { result: Err(_) } => return Some(End::Lost(EndReason::Probe)),
            _ => return Some(End::Lost(EndReason::Nonsense)),
        }
        of.status
            .change(|facts| facts.last_finished = Some(std::time::Instant::now()));
        let busy = self.probing || !self.out.is_empty();
        self.wait_from(of, busy.then(Instant::now));
        None
    }

    /// A text has grown or ended.
    fn text(&mut self, of: &Supervisor, job: u64, output: TextOutput) -> Text {
        let Some(at) = self.out.iter().position(|(id, _)| *id == job) else {
            return Text::Unknown;
        };
        let Work::Text { to, .. } = &self.out[at].1.work else {
            return Text::Unknown;
        };
        if let TextOutput::Piece(_) = output {
            return match to.send(Ok(output)) {
                Ok(()) => Text::Heard,
                Err(_) => Text::Unheard,
            };
        }
        if output == TextOutput::Cancelled {
            of.metrics.texts_given_up.inc();
        }
        if let Some((_, job)) = self.out.remove(at) {
            job.finish(output);
        }
        Text::Heard
    }

    fn stepped(
        &mut self,
        of: &mut Supervisor,
        job: Job,
        result: Result<StepOutcome, Unmade>,
    ) -> Option<End> {
        if let Work::Text { .. } = job.work {
            return Some(End::Lost(EndReason::Nonsense));
        }
        let answer = match result {
            Ok(outcome) => {
                of.probation = of.probation.saturating_sub(1);
                if of.probation == 0 {
                    of.previous = None;
                }
                let maker = self.worker.maker;
                Ok(Made { outcome, maker })
            }
            Err(Unmade::Policy(reason)) if of.probation > 0 && of.previous.is_some() => {
                self.out.push_front((0, job));
                return Some(End::Failed(reason));
            }
            Err(unmade) => Err(StepFailure::Policy(unmade.into_reason())),
        };
        if let Work::Step { reply, .. } = job.work {
            // Whoever asked may have given up.
            let _ = reply.send(answer);
        }
        None
    }
}

/// A worker with a model that was chosen a while ago.
async fn start_again(
    (registry, model): (Registry, Model),
    options: &EngineOptions,
) -> Result<Worker, String> {
    // It may have to be hashed.
    let found = tokio::task::spawn_blocking(move || registry.again(&model)).await;
    let model = found.map_err(|error| error.to_string())?;
    Worker::start(model.map_err(|error| error.to_string())?, options).await
}

fn info(worker: &Worker) -> ModelInfo {
    ModelInfo {
        name: worker.model.name.clone(),
        sha256: worker.model.sha256.clone(),
        bytes: worker.model.bytes,
        context_tokens: worker.context_tokens,
    }
}

/// The result of a load that runs; never when none does.
async fn finished(loading: &mut Option<Loading>) -> Result<Worker, String> {
    match loading {
        Some((task, ..)) => task
            .await
            .unwrap_or_else(|error| Err(format!("loading was broken off: {error}"))),
        None => std::future::pending().await,
    }
}
