//! The daemon as real processes: started, asked, killed.
#![allow(clippy::unwrap_used, missing_docs, reason = "an integration test")]

mod browser;
mod disk;
mod environments;
mod episodes;
mod episodes_killed;
mod expiry;
mod grammar;
mod guard;
mod hostile;
mod killed;
mod log;
mod metrics;
mod models;
#[path = "../../../environments/tests/all/needs.rs"]
mod needs;
mod openai;
mod openapi;
mod page;
mod play;
mod power;
mod shutdown;
mod signature;
mod sockets;
mod steps;
mod support;
mod systemd;
mod tls;
mod tokens;
mod worker;
