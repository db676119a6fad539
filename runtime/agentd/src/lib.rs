//! The daemon that serves step-level agents to programs on a device, and keeps them through crashes and power cuts.
//!
//! ```text
//! client -> http -> agents -> engine (supervisor) -> worker process (llama.cpp)
//!                     |
//!                   store (redb): the record is written, synced, and then answered for
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`http`] | the API: HTTP/1.1 on Unix sockets and TCP |
//! | [`agents`] | one step at a time for each agent; repeated requests; the rules of a full daemon |
//! | [`episodes`] | whole episodes in environments that the daemon opens itself |
//! | [`store`] | records of fixed size, group commit |
//! | [`engine`] | the supervisor of the worker process, the models folder |
//! | [`worker`] | the worker process: loads one policy and makes steps |
//! | [`models`] | which model serves |
//! | [`journal`] | the transition log and the audit log |
//! | [`tokens`] | bearer tokens, hashed at rest |
//! | [`config`] | what an operator decides |
//! | [`daemon`], [`chores`] | from the start to the end; what is done beside serving |
//! | [`check`] | whether these settings would work |
//! | [`notify`] | what systemd is told |
//! | [`metrics`], [`exposition`] | what is counted, and how it is told |
//! | [`machine`] | what the machine says of itself |
//! | [`files`] | small files, read within bounds and written whole |
#![forbid(unsafe_code)]

pub mod agents;
pub mod check;
pub mod chores;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod episodes;
pub mod exposition;
pub mod files;
pub mod http;
pub mod journal;
pub mod machine;
pub mod metrics;
pub mod models;
pub mod notify;
pub mod store;
pub mod tokens;
pub mod worker;
