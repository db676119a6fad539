//! One worker process and its socket.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use stride_agent::agent::Limits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::golden::{Golden, GoldenAnswer, GoldenStep};
use super::handle::EngineOptions;
use super::maker::Maker;
use super::model::Model;
use crate::machine;
use crate::worker::link::{self, LinkError};
use crate::worker::protocol::{FromWorker, Load, StepInput, ToWorker, Unmade};

/// A worker that has loaded its policy. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Worker {
    process: Process,
    to: OwnedWriteHalf,
    /// Ends when the worker dies or says something that is no message.
    pub(super) answers: mpsc::Receiver<FromWorker>,
    pub(super) model: Model,
    pub(super) context_tokens: u32,
    /// Calls that it answers together.
    pub(super) slots: u32,
    /// Who it is, if it makes a step the same way each time.
    pub(super) maker: Option<Maker>,
}

impl Worker {
    /// Starts a worker and waits until its policy has answered a first frame and made the golden steps of its model.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub(super) async fn start(model: Model, options: &EngineOptions) -> Result<Self, String> {
        let mut worker = Self::load(model, options).await?;
        worker.prove(options).await?;
        Ok(worker)
    }

    async fn load(model: Model, options: &EngineOptions) -> Result<Self, String> {
        let (mut process, socket) = Process::spawn(options, &model)
            .map_err(|error| format!("the worker cannot be started: {error}"))?;
        let stream = socket
            .set_nonblocking(true)
            .and_then(|()| UnixStream::from_std(socket))
            .map_err(|error| format!("the worker's socket: {error}"))?;
        let (from, mut to) = stream.into_split();
        let (send, mut answers) = mpsc::channel(16);
        tokio::spawn(receive(BufReader::new(from), send));
        let load = ToWorker::Load(Load {
            path: model.path.to_string_lossy().into_owned(),
            profile: serde_json::to_string(&options.profile)
                .map_err(|error| format!("the profile: {error}"))?,
            threads: options.threads,
            slots: options.slots,
            texts: options.texts,
            constrain: options.constrain,
            tell_calls: options.tell_calls,
        });
        let loaded = async {
            send_to(&mut to, &load).await.ok()?;
            answers.recv().await
        };
        match timeout(options.load_deadline, loaded).await {
            Ok(Some(FromWorker::Loaded {
                context_tokens,
                slots,
                repeatable,
            })) => Ok(Self {
                process,
                to,
                answers,
                maker: repeatable.then(|| Maker::new(options, &model)),
                model,
                context_tokens,
                slots,
            }),
            Ok(Some(FromWorker::Refused { message })) => Err(message),
            Ok(Some(_)) => Err("the worker answered out of order".into()),
            Ok(None) => Err(format!(
                "the worker died while it loaded: {}",
                process.end()
            )),
            Err(_) => Err(format!(
                "the policy was not loaded within {} s",
                options.load_deadline.as_secs()
            )),
        }
    }

    /// Lets the policy make the golden steps of its model, if it has any; returns their number.
    async fn prove(&mut self, options: &EngineOptions) -> Result<Option<usize>, String> {
        let golden = Golden::beside(&self.model.path);
        let Some(golden) = golden.map_err(|error| format!("its golden steps: {error}"))? else {
            return Ok(None);
        };
        let limits = Limits::of_profile(&options.profile);
        let mut state = golden
            .first_state(&limits)
            .map_err(|error| error.to_string())?;
        for (at, step) in golden.steps.iter().enumerate() {
            let (said, next) = self.make(Golden::input(step, state), options).await?;
            if said != step.answer {
                let expected = &step.answer;
                return Err(format!(
                    "golden step {}: it says {said:?} instead of {expected:?}",
                    at + 1
                ));
            }
            state = next;
        }
        Ok(Some(golden.steps.len()))
    }

    /// Makes one step outside of any queue.
    async fn make(
        &mut self,
        step: StepInput,
        options: &EngineOptions,
    ) -> Result<(GoldenAnswer, Vec<u8>), String> {
        let message = ToWorker::Step { job: 0, step };
        let patience = options.step_deadline;
        let sent = self.send(&message, patience).await;
        sent.map_err(|error| error.to_string())?;
        match timeout(patience, self.answers.recv()).await {
            Ok(Some(FromWorker::Stepped { result, .. })) => {
                let outcome = result.map_err(Unmade::into_reason)?;
                let said = GoldenAnswer::of(&outcome).map_err(|error| error.to_string())?;
                Ok((said, outcome.state))
            }
            Ok(Some(_)) => Err("the worker answered out of order".into()),
            Ok(None) => Err(format!("the worker died in a step: {}", self.process.end())),
            Err(_) => Err("a step was not made within the deadline".into()),
        }
    }

    /// The process.
    pub(super) fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Sends a message, within the time in which a step must be made: a worker that does not read hangs.
    pub(super) async fn send(
        &mut self,
        message: &ToWorker,
        patience: Duration,
    ) -> Result<(), LinkError> {
        match timeout(patience, send_to(&mut self.to, message)).await {
            Ok(sent) => sent,
            Err(_) => Err(LinkError::Io(io::ErrorKind::TimedOut.into())),
        }
    }

    /// Kills the process if it still runs, and says how it ended.
    pub(super) fn end(mut self) -> String {
        self.process.end()
    }
}

/// What a model takes and does on this device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Bytes of memory that the worker has resident.
    pub resident_bytes: u64,
    /// Golden steps that it made, if it has any.
    pub golden: Option<usize>,
}

/// Loads a model as the daemon does, and ends.
///
/// # Errors
/// A sentence that says why the model would not serve.
pub async fn trial(model: Model, options: &EngineOptions) -> Result<Trial, String> {
    let mut worker = Worker::load(model, options).await?;
    let golden = worker.prove(options).await?;
    let resident = machine::process(worker.pid()).map(|process| process.resident_bytes);
    Ok(Trial {
        resident_bytes: resident.unwrap_or(0),
        golden,
    })
}

/// Lets a model answer observations, and returns them as golden steps.
///
/// # Errors
/// A sentence that says why it could not.
pub async fn record(
    model: Model,
    options: &EngineOptions,
    mut golden: Golden,
    observations: Vec<String>,
) -> Result<Golden, String> {
    let mut worker = Worker::load(model, options).await?;
    let limits = Limits::of_profile(&options.profile);
    let mut state = golden
        .first_state(&limits)
        .map_err(|error| error.to_string())?;
    for observation in observations {
        let mut step = GoldenStep {
            observation,
            answer: GoldenAnswer::default(),
        };
        (step.answer, state) = worker.make(Golden::input(&step, state), options).await?;
        golden.steps.push(step);
    }
    Ok(golden)
}

async fn send_to(to: &mut OwnedWriteHalf, message: &ToWorker) -> Result<(), LinkError> {
    Ok(to.write_all(&link::pack(message)?).await?)
}

/// Hands on what the worker says, in a task of its own so that waiting for it can be broken off without losing half a message.
async fn receive(mut from: BufReader<OwnedReadHalf>, to: mpsc::Sender<FromWorker>) {
    loop {
        match receive_one(&mut from).await {
            Ok(answer) => {
                if to.send(answer).await.is_err() {
                    return;
                }
            }
            Err(LinkError::Io(_)) => return,
            Err(error) => {
                tracing::error!(%error, "the worker says nothing that can be understood");
                return;
            }
        }
    }
}

async fn receive_one(from: &mut BufReader<OwnedReadHalf>) -> Result<FromWorker, LinkError> {
    let mut header = [0; 4];
    from.read_exact(&mut header).await?;
    let mut body = vec![0; link::unpack_length(header)?];
    from.read_exact(&mut body).await?;
    link::unpack(&body)
}

/// The process itself; killed and waited for when dropped, so that none is left behind.
#[derive(Debug)]
struct Process(Child);

impl Process {
    /// Its standard input is the socket, its standard output the model's file: the one that was looked at, whatever is at its path
    /// by now.
    fn spawn(options: &EngineOptions, model: &Model) -> io::Result<(Self, StdStream)> {
        let (ours, theirs) = StdStream::pair()?;
        let child = Command::new(&options.program)
            .arg("worker")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(model.file.hand()?)
            .spawn()?;
        Ok((Self(child), ours))
    }

    fn end(&mut self) -> String {
        // Fails only when it has ended already.
        let _ = self.0.kill();
        match self.0.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("unknown: {error}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => status.to_string(),
    }
}
