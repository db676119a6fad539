//! Many agents through the daemon against as many in one process: `throughput MODEL.gguf [AGENTS] [STEPS] [ROUNDS] [SLOTS]`.
//!
//! In turns, ROUNDS times each: agents on threads of their own play household games, STEPS steps each, once with the batch engine
//! in this process, and once as clients of a daemon that this program starts on a Unix socket, its state in memory (/dev/shm where
//! there is one). Both have SLOTS slots and one inference thread. The same steps are made, and checked to be the same; the
//! ratio of the medians is what the daemon costs.

use std::error::Error;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use stride_agent::agent::Limits;
use stride_agent::environment::Environment as _;
use stride_agent::event::{Event, Observer};
use stride_client::api::{CreateAgent, StepRequest};
use stride_client::{Address, Client};
use stride_engine::{ActionTemplates, BatchOptions, EngineOptions, SharedPolicy};
use stride_environments::household::HouseholdEnvironment;
use stride_firmware_config::profile::DeviceProfile;

type Failure = Box<dyn Error + Send + Sync>;

/// The first game; training and tests use others.
const SEED: u64 = 2_000_000;

#[derive(Default)]
struct Actions(Vec<String>);

impl Observer for Actions {
    fn event(&mut self, event: &Event<'_>) {
        if let Event::Acted { action, .. } = event {
            self.0.push((*action).to_owned());
        }
    }
}

/// Lets every agent do its work on a thread of its own; returns what they did, and the time.
fn together<W>(agents: u64, work: W) -> Result<(Vec<Vec<String>>, Duration), Failure>
where
    W: Fn(u64) -> Result<Vec<String>, Failure> + Sync,
{
    let start = Instant::now();
    let done: Result<Vec<_>, Failure> = std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..agents)
            .map(|agent| scope.spawn(move || work(agent)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "an agent panicked")?)
            .collect()
    });
    Ok((done?, start.elapsed()))
}

fn in_process(policy: &SharedPolicy, agent: u64, steps: u32) -> Result<Vec<String>, Failure> {
    let mut policy = policy.agent(agent);
    let mut actions = Actions::default();
    let mut seed = SEED + agent * 1000;
    while actions.0.len() < steps as usize {
        let left = steps - u32::try_from(actions.0.len())?;
        let mut world = HouseholdEnvironment::new(seed);
        let limits = Limits::default();
        stride_agent::episode::play(&mut world, &mut policy, &limits, left.min(50), &mut actions)?;
        seed += 1;
    }
    Ok(actions.0)
}

fn through_daemon(client: &Client, agent: u64, steps: u32) -> Result<Vec<String>, Failure> {
    let mut actions = Vec::new();
    let mut seed = SEED + agent * 1000;
    while actions.len() < steps as usize {
        let left = steps - u32::try_from(actions.len())?;
        let mut world = HouseholdEnvironment::new(seed);
        let opening = world.reset()?;
        let id = client
            .create(&CreateAgent {
                task: opening.task,
                scene: opening.scene,
                ..CreateAgent::default()
            })?
            .id;
        let mut request = StepRequest {
            observation: opening.observation,
            ..StepRequest::default()
        };
        for n in 0..=left.min(50) {
            request.request_id = format!("r{n}");
            // The loop in one process takes the last observation in, too.
            let over = n == left.min(50) && !request.done;
            let answer = client.step(&id, &request)?;
            let Some(action) = answer.action.filter(|_| !over) else {
                break;
            };
            let outcome = world.step(&action)?;
            actions.push(action);
            request = StepRequest {
                observation: outcome.observation,
                invalid: outcome.invalid,
                reward: outcome.reward,
                done: outcome.done,
                won: outcome.won,
                ..StepRequest::default()
            };
        }
        client.delete(&id)?;
        seed += 1;
    }
    Ok(actions)
}

struct Daemon {
    process: Child,
    folder: PathBuf,
}

impl Daemon {
    fn start(model: &Path, slots: u32) -> Result<(Self, Client), Failure> {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let folder = base.join(format!("stride-throughput-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("models"))?;
        std::fs::copy(model, folder.join("models/policy.gguf"))?;
        let settings = folder.join("agentd.toml");
        std::fs::write(&settings, format!("[worker]\nslots = {slots}\n"))?;
        let own = std::env::current_exe()?;
        let program = own
            .ancestors()
            .nth(2)
            .ok_or("no folder above")?
            .join("stride-agentd");
        let socket = folder.join("agentd.sock");
        let process = Command::new(program)
            .arg("--config")
            .arg(settings)
            .arg("--models")
            .arg(folder.join("models"))
            .arg("--state")
            .arg(folder.join("state"))
            .arg("--listen")
            .arg(format!("unix:{}", socket.display()))
            .args(["--constrain", "--threads", "1"])
            .stderr(Stdio::null())
            .spawn()?;
        let daemon = Self { process, folder };
        let client = Client::new(Address::Unix(socket));
        while !client.ready().is_ok_and(|ready| ready.ready) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok((daemon, client))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It is not needed any more, in whatever state it is.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let model = PathBuf::from(arguments.next().ok_or("which GGUF file?")?);
    let mut number = |default: u32| -> Result<u32, Failure> {
        Ok(arguments.next().map_or(Ok(default), |text| text.parse())?)
    };
    let (agents, steps, rounds, slots) = (number(64)?, number(20)?, number(3)?, number(16)?);
    let engine = EngineOptions {
        constraint: Some(ActionTemplates::default()),
        ..EngineOptions::default()
    };
    let options = BatchOptions {
        engine: engine.under_profile(&DeviceProfile::standard()),
        slots: NonZeroU32::new(slots).ok_or("no slots")?,
        ..BatchOptions::default()
    };
    let policy = SharedPolicy::load(&model, &options, NonZeroU32::MIN)?;
    let (_daemon, client) = Daemon::start(&model, slots)?;
    let (mut alone, mut served) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        let (expected, time) = together(agents.into(), |agent| in_process(&policy, agent, steps))?;
        alone.push(time);
        let (done, through) =
            together(agents.into(), |agent| through_daemon(&client, agent, steps))?;
        served.push(through);
        let same = expected.iter().zip(&done).filter(|(a, b)| a == b).count();
        println!(
            "round {round}: in process {time:.2?}, daemon {through:.2?}; {same} of {agents} agents did the same"
        );
    }
    alone.sort_unstable();
    served.sort_unstable();
    let middle = |times: &[Duration]| times[times.len() / 2].as_secs_f64();
    let (alone, served) = (middle(&alone), middle(&served));
    let made = f64::from(agents * steps);
    println!(
        "{agents} agents, {steps} steps each, {slots} slots: {:.0} steps/s in process, {:.0} steps/s through the daemon, {:.1} %",
        made / alone,
        made / served,
        100.0 * alone / served
    );
    Ok(())
}
