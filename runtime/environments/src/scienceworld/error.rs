//! What can go wrong with the simulator and its episodes.

use super::gateway::GatewayError;
use super::jar::JarError;
use super::java::JavaError;
use super::process::ProcessError;
use super::task::EpisodeId;

/// Why the simulator cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulatorError {
    /// The jar is missing or another one.
    #[error(transparent)]
    Jar(#[from] JarError),
    /// There is no Java runtime that will do.
    #[error(transparent)]
    Java(#[from] JavaError),
    /// It does not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A call failed.
    #[error("a call into ScienceWorld's simulator failed; {report}")]
    Call {
        /// What became of the process, and the end of what it said.
        report: String,
        /// Why.
        #[source]
        source: GatewayError,
    },
    /// It refuses to load an episode.
    #[error("ScienceWorld's simulator refuses the episode {episode}: {message}")]
    Refused {
        /// The episode.
        episode: EpisodeId,
        /// What it says.
        message: String,
    },
    /// A step was asked for outside of an episode.
    #[error("no episode is running; call reset first")]
    NoEpisode,
}
