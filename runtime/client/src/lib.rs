//! What programs say to `stride-agentd`, and a small blocking client that says it.
//!
//! | module | holds |
//! |---|---|
//! | [`api`] | the JSON bodies of version 1, shared with the daemon |
//! | [`episodes`] | the JSON bodies of episodes that the daemon plays itself |
//! | [`observe`] | the JSON bodies of what people look at: steps made lately, the daemon and its device |
//! | [`client`] | [`Client`]: one connection pool, retries that never apply a step twice |
//! | [`address`] | [`Address`]: `unix:PATH`, `http://HOST:PORT` or `tcp:HOST:PORT`, `https://HOST:PORT` with the feature `tls` |
//! | [`error`] | [`ClientError`] |
//! | `unix` | the transport over a Unix socket |
//!
//! ```no_run
//! use stride_client::api::{CreateAgent, StepRequest};
//! use stride_client::Client;
//!
//! let client = Client::new("unix:/run/stride/agentd.sock".parse()?);
//! let agent = client.create(&CreateAgent {
//!     task: "put a fork in countertop".into(),
//!     scene: "countertop 1 to 2, drawer 1 to 7".into(),
//!     ..CreateAgent::default()
//! })?;
//! let answer = client.step(&agent.id, &StepRequest {
//!     request_id: "1".into(),
//!     observation: "You are in the middle of a room.".into(),
//!     ..StepRequest::default()
//! })?;
//! println!("{:?}", answer.action);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod address;
pub mod api;
pub mod client;
pub mod episodes;
pub mod error;
pub mod observe;
mod unix;

pub use address::Address;
pub use client::{Client, Retries};
pub use error::ClientError;
