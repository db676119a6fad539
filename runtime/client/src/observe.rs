//! The JSON bodies of what people look at: the steps that were made lately, and the state of the daemon and its device.

use serde::{Deserialize, Serialize};

use crate::api::{Readiness, StepAnswer};

/// A step that was made, as the daemon remembers it for a while.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MadeStep {
    /// Counts the steps of this daemon since it started, from 1.
    pub number: u64,
    /// The agent.
    pub agent: String,
    /// When it was answered, in milliseconds since 1970.
    pub at: u64,
    /// Microseconds from the request to the recorded answer: waiting for a turn, the policy, the record.
    pub micros: u64,
    /// The answer it was given.
    pub answer: StepAnswer,
}

/// Steps that were made lately, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MadeSteps {
    /// The steps.
    pub steps: Vec<MadeStep>,
    /// The number of the last step that this daemon made; 0 before the first. A smaller one than before means that the daemon
    /// was started anew.
    pub last: u64,
}

/// What the daemon and its device are at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DaemonState {
    /// The version of the daemon.
    pub version: String,
    /// When it was started, in seconds since 1970.
    pub started_at: u64,
    /// Its clock now, in seconds since 1970.
    pub now: u64,
    /// Whether steps are being made, and by which model.
    pub readiness: Readiness,
    /// The device profile.
    pub profile: String,
    /// Agents now.
    pub agents: u32,
    /// Agents at most.
    pub capacity: u32,
    /// Steps recorded and answered since it was started.
    pub steps: u64,
    /// Workers that ended since it was started, and were replaced.
    pub workers_lost: u64,
    /// The daemon's process.
    pub daemon: ProcessState,
    /// The worker's, while there is one.
    pub worker: Option<ProcessState>,
    /// The device.
    pub device: DeviceState,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProcessState {
    /// Its number.
    pub pid: u32,
    /// Bytes of memory that it holds.
    pub resident_bytes: u64,
    /// Files that it has open.
    pub files: u64,
}

/// The device, as far as it tells.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceState {
    /// Processors that the daemon may use.
    pub cores: u32,
    /// Tasks that wanted a processor in the last minute, on average.
    pub load: Option<f64>,
    /// Bytes of memory.
    pub memory_bytes: Option<u64>,
    /// Bytes of memory that are free, or could be made so.
    pub memory_available_bytes: Option<u64>,
    /// Bytes of memory that the profile allows the daemon and its worker.
    pub budget_bytes: u64,
    /// The hottest sensor, in degrees Celsius.
    pub celsius: Option<f64>,
    /// Bytes of the files in the state folder.
    pub store_bytes: u64,
    /// Bytes that can still be written beside them.
    pub disk_free_bytes: Option<u64>,
}
