//! The worker process: loads one policy and makes steps.
//!
//! It holds nothing that cannot be lost. A step comes with the agent's record and goes back as the next record, so a worker
//! that crashes, hangs or is killed costs the time of the steps it was making, and nothing else.

mod hands;
pub mod link;
pub mod process;
pub mod protocol;
pub mod step;
