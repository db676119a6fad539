//! Compile-time capacities of the standard build.
//!
//! A device profile may ask for less at run time (see [`crate::profile::Capacities`]), never for more:
//! the size of [`crate::state::AgentState`] is fixed when the program is built.

/// Bytes of the task instruction.
pub const TASK: usize = 512;
/// Bytes of the static part of an observation.
pub const SCENE: usize = 1024;
/// Bytes of one observation (feedback without the scene). It lives in the frame only, never in the state.
pub const OBSERVATION: usize = 1024;
/// Bytes of one subtask.
pub const SUBTASK: usize = 96;
/// Bytes of the local progress.
pub const PROGRESS: usize = 512;
/// Bytes of one action.
pub const ACTION: usize = 96;
/// Issued subtasks that are remembered by name; older ones are counted.
pub const COMPLETED: usize = 8;
/// Bytes of an agent state at most.
pub const STATE: usize = 4096;
