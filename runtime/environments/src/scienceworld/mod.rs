//! ScienceWorld: the official simulator (version 1.2.3, a JVM program) spoken to directly, without Python.
//!
//! `make scienceworld` fetches the simulator and a Java runtime. One [`Session`] starts one JVM on a loopback port and plays
//! any number of episodes on it; a JVM that dies or hangs costs one episode.
//!
//! | module | what it does |
//! |---|---|
//! | `task` | tasks, variations, splits: which episodes there are |
//! | `jar`, `java` | where the simulator and the Java runtime are |
//! | `process` | the JVM as a supervised child |
//! | `gateway` | Py4J's text protocol |
//! | `simulator` | the simulator's methods, typed |
//! | `session` | episodes one after the other, whatever happens to the JVM |
//! | [`view`] | what an agent is shown |
//! | `environment` | the adapter to the agent's `Environment` |
//! | `transcript` | episodes recorded with the official package |
//! | `replay` | plays transcripts and compares |

mod environment;
mod error;
mod gateway;
mod jar;
mod java;
mod process;
mod replay;
mod session;
mod simulator;
mod task;
mod transcript;
pub mod view;

/// The action that changes nothing: it takes no time in the simulator.
pub const HARMLESS_ACTION: &str = "look around";

pub use crate::transcripts::TranscriptError;
pub use environment::{
    Ending, EnvironmentOptions, MOVE_LIMIT, NOT_UNDERSTOOD, ScienceWorldEnvironment,
};
pub use error::SimulatorError;
pub use gateway::GatewayError;
pub use jar::{JAR_VARIABLE, Jar, JarError, VERSION};
pub use java::{Java, JavaError, OLDEST};
pub use process::{Launch, ProcessError};
pub use replay::{Field, Mismatch, Replay, ReplayError, Replayed};
pub use session::{Session, Start};
pub use simulator::{Observed, Settings, Simulator};
pub use task::{EpisodeId, Split, Task, UnknownEpisode, all_episodes, episodes};
pub use transcript::{Transcript, TranscriptStart, TranscriptStep, Transcripts};
