//! The crate from outside, one module per topic.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[cfg(test)]
mod collections;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod household;
#[cfg(test)]
mod needs;
#[cfg(test)]
mod random_input;
#[cfg(test)]
mod scienceworld;
#[cfg(test)]
mod scienceworld_gateway;
#[cfg(test)]
mod scienceworld_views;
#[cfg(test)]
mod transcripts;
