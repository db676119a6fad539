//! The simulator's methods, typed.

use std::time::Duration;

use super::error::SimulatorError;
use super::gateway::{Argument, Call, Gateway, GatewayError, ObjectId, Value};
use super::jar::Jar;
use super::java::Java;
use super::process::{Launch, Process};
use super::task::{EpisodeId, Split};

/// Longer actions than any that the simulator knows are cut, at a character.
const LONGEST_ACTION: usize = 1 << 10;

/// How the simulator is started and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is started.
    pub launch: Launch,
    /// Until it listens. 120 s by default.
    pub start_limit: Duration,
    /// For a call. 120 s by default: a step takes 5 to 40 ms and a list of valid actions up to 0.6 s, yet on a machine that
    /// left it a tenth of a core, one step has been seen to take more than 30 s.
    pub call_limit: Duration,
    /// For loading an episode together with its gold path, which the simulator searches for. 300 s by default; it takes
    /// up to 12 s.
    pub gold_limit: Duration,
    /// The simulator's simplifications, separated by commas. None by default, as in the paper's protocol.
    pub simplifications: String,
}

impl Settings {
    /// Most MiB of heap unless the caller says otherwise.
    pub const HEAP_MIB: u32 = 512;

    /// Finds Java and the jar; everything else as by default.
    ///
    /// # Errors
    /// When one of them is missing or not the right one.
    pub fn find() -> Result<Self, SimulatorError> {
        Self::find_with_heap(Self::HEAP_MIB)
    }

    /// Finds Java and the jar, for a heap of at most so many MiB. Below 128 some tasks do not load.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_with_heap(heap_mib: u32) -> Result<Self, SimulatorError> {
        let jar = Jar::find()?;
        let java = Java::find()?;
        Ok(Self::new(Launch::simulator(&java, &jar, heap_mib)))
    }

    /// Starts this; everything else as by default.
    #[must_use]
    pub fn new(launch: Launch) -> Self {
        Self {
            launch,
            start_limit: Duration::from_secs(120),
            call_limit: Duration::from_secs(120),
            gold_limit: Duration::from_secs(300),
            simplifications: String::new(),
        }
    }
}

/// What is seen after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The answer to the action.
    pub feedback: String,
    /// The room.
    pub look: String,
    /// What the agent holds.
    pub inventory: String,
    /// -100 to 100. Negative after a wrong `focus on`, which fails the task.
    pub score: i32,
    /// The simulator's flag that the task is complete.
    pub completed: bool,
    /// The simulator's clock: ticks, not actions. `look around` takes none, `wait1` two.
    pub moves: u32,
}

impl Observed {
    /// Whether the official package calls the episode done, apart from its limit on moves: completed or failed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.completed || self.score < 0
    }
}

/// A running simulator with at most one episode loaded.
///
/// After an error other than [`SimulatorError::Refused`] it is of no more use; [`Session`](super::Session) then starts another.
#[derive(Debug)]
pub struct Simulator {
    // Dropped before the process, which otherwise may complain about the connection on its way out.
    gateway: Gateway,
    interface: ObjectId,
    process: Process,
    settings: Settings,
}

impl Simulator {
    /// Starts a JVM and connects to it.
    ///
    /// # Errors
    /// When it does not start, prints no port, or does not answer.
    pub fn start(settings: Settings) -> Result<Self, SimulatorError> {
        let mut process = Process::start(&settings.launch, settings.start_limit)?;
        let connect = || {
            let mut gateway = Gateway::connect(process.port())?;
            let class = "scienceworld.runtime.pythonapi.PythonInterface";
            let interface = gateway.construct(class, settings.start_limit)?;
            Ok((gateway, interface))
        };
        match connect() {
            Ok((gateway, interface)) => Ok(Self {
                gateway,
                interface,
                process,
                settings,
            }),
            Err(source) => Err(SimulatorError::Call {
                report: process.report(),
                source,
            }),
        }
    }

    /// The process id of the JVM.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Loads an episode. With its gold path it takes up to 12 s, without up to 0.7 s.
    ///
    /// # Errors
    /// When the simulator refuses the episode or does not answer.
    pub fn load(&mut self, episode: EpisodeId, gold_path: bool) -> Result<(), SimulatorError> {
        let simplifications = self.settings.simplifications.clone();
        let arguments = [
            Argument::Text(episode.task.name()),
            Argument::Integer(i32::try_from(episode.variation).unwrap_or(i32::MAX)),
            Argument::Text(&simplifications),
            Argument::Boolean(gold_path),
        ];
        let limit = if gold_path {
            self.settings.gold_limit
        } else {
            self.settings.call_limit
        };
        let message = self.call_within("load", &arguments, limit)?.text();
        let message = message.map_err(|source| self.failed(source))?;
        if message.is_empty() {
            Ok(())
        } else {
            Err(SimulatorError::Refused { episode, message })
        }
    }

    /// The task's instruction.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn description(&mut self) -> Result<String, SimulatorError> {
        let text = self.call("getTaskDescription", &[])?.text();
        text.map_err(|source| self.failed(source))
    }

    /// Does an action and looks what became of the world.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn step(&mut self, action: &str) -> Result<Observed, SimulatorError> {
        let mut end = action.len().min(LONGEST_ACTION);
        while !action.is_char_boundary(end) {
            end -= 1;
        }
        self.observe("step", &[Argument::Text(&action[..end])])
    }

    /// Looks at the world right after [`load`](Self::load), without doing anything. The feedback is the room, as
    /// `look around` would answer; the score is 0.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn look(&mut self) -> Result<Observed, SimulatorError> {
        let mut observed = self.observe("freeActionLook", &[])?;
        // Until the first step, the simulator answers with the score and the end of the episode before.
        observed.score = 0;
        observed.completed = false;
        observed
            .feedback
            .truncate(observed.feedback.trim_end().len());
        Ok(observed)
    }

    /// Everything that one step costs, in one round trip.
    fn observe(
        &mut self,
        method: &str,
        arguments: &[Argument<'_>],
    ) -> Result<Observed, SimulatorError> {
        let plain = |method| Call {
            method,
            arguments: &[],
        };
        let calls = [
            Call { method, arguments },
            plain("freeActionLook"),
            plain("freeActionInventory"),
            plain("getScore"),
            plain("getCompleted"),
            plain("getNumMoves"),
        ];
        let limit = self.settings.call_limit;
        let read = |[feedback, look, inventory, score, completed, moves]: [Value; 6]| {
            Ok(Observed {
                feedback: feedback.text()?,
                look: look.text()?,
                inventory: inventory.text()?,
                score: percent(score.double()?)?,
                completed: completed.boolean()?,
                moves: moves.integer()?,
            })
        };
        self.gateway
            .call_all(&self.interface, calls, limit)
            .and_then(read)
            .map_err(|source| self.failed(source))
    }

    /// The names of its tasks.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn task_names(&mut self) -> Result<Vec<String>, SimulatorError> {
        self.texts("getTaskNames")
    }

    /// How many variations a task has; `None` for a name that is no task.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn max_variations(&mut self, task: &str) -> Result<Option<u32>, SimulatorError> {
        let count = self.call("getTaskMaxVariations", &[Argument::Text(task)])?;
        let count: i64 = count.integer().map_err(|source| self.failed(source))?;
        Ok(u32::try_from(count).ok())
    }

    /// The variations of a split of the loaded episode's task.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn variations(&mut self, split: Split) -> Result<Vec<u32>, SimulatorError> {
        let method = match split {
            Split::Train => "getVariationsTrain",
            Split::Dev => "getVariationsDev",
            Split::Test => "getVariationsTest",
        };
        self.list(method, Value::integer)
    }

    /// The gold path of an episode that was loaded with it.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn gold_path(&mut self) -> Result<Vec<String>, SimulatorError> {
        self.texts("getGoldActionSequence")
    }

    /// The forms of actions, such as `open OBJ`.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn possible_actions(&mut self) -> Result<Vec<String>, SimulatorError> {
        self.texts("getPossibleActions")
    }

    /// The names of the objects around.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn possible_objects(&mut self) -> Result<Vec<String>, SimulatorError> {
        self.texts("getPossibleObjects")
    }

    /// The actions that would be understood now: hundreds, and slow.
    ///
    /// # Errors
    /// When the simulator does not answer.
    pub fn valid_actions(&mut self) -> Result<Vec<String>, SimulatorError> {
        self.texts("getValidActionObjectCombinations")
    }

    fn call(&mut self, method: &str, arguments: &[Argument<'_>]) -> Result<Value, SimulatorError> {
        self.call_within(method, arguments, self.settings.call_limit)
    }

    fn call_within(
        &mut self,
        method: &str,
        arguments: &[Argument<'_>],
        limit: Duration,
    ) -> Result<Value, SimulatorError> {
        self.gateway
            .call(&self.interface, Call { method, arguments }, limit)
            .map_err(|source| self.failed(source))
    }

    fn texts(&mut self, method: &str) -> Result<Vec<String>, SimulatorError> {
        self.list(method, Value::text)
    }

    fn list<T>(
        &mut self,
        method: &str,
        read: impl Fn(Value) -> Result<T, GatewayError>,
    ) -> Result<Vec<T>, SimulatorError> {
        self.gateway
            .list(&self.interface, method, self.settings.call_limit)
            .and_then(|values| values.into_iter().map(read).collect())
            .map_err(|source| self.failed(source))
    }

    fn failed(&mut self, source: GatewayError) -> SimulatorError {
        SimulatorError::Call {
            report: self.process.report(),
            source,
        }
    }
}

/// The score in percent, rounded as the official package does: halves to the even number.
fn percent(score: f64) -> Result<i32, GatewayError> {
    let percent = (100.0 * score).round_ties_even();
    if (-100.0..=100.0).contains(&percent) {
        Ok(percent as i32)
    } else {
        Err(GatewayError::Garbage {
            line: format!("a score of {score}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_in_percent() {
        assert_eq!(percent(-1.0).unwrap(), -100);
        assert_eq!(percent(0.03333333333333333).unwrap(), 3);
        assert_eq!(percent(0.125).unwrap(), 12);
        assert_eq!(percent(0.375).unwrap(), 38);
        assert!(percent(1.1).is_err() && percent(f64::NAN).is_err());
    }
}
