//! What a device can hold, and how a policy is asked.
//!
//! This crate is `no_std` and never allocates. It is the contract that every other crate of Stride shares:
//!
//! | module | holds |
//! |---|---|
//! | [`level`] | the three policy levels of STEP-HRL (high, low, progress) |
//! | [`text`] | UTF-8 text of bounded size whose overflow is a decision with a name |
//! | [`capacity`] | the compile-time capacities of the standard build |
//! | [`state`] | [`state::AgentState`]: all that an agent needs between two steps, at most 4 KiB |
//! | [`encoding`] | the versioned, checksummed record of an agent state |
//! | [`frame`] | [`frame::StepFrame`]: the one place where prompts are laid out |
//! | [`profile`] | [`profile::DeviceProfile`]: capacities, threads, context and memory of one board |
//! | [`boards`] | the shipped profiles, as TOML texts |
//!
//! Its dependencies are taken without any feature that needs `std` or a heap. Where a bare-metal target is installed,
//! `cargo build -p stride-firmware-config --target thumbv7em-none-eabi` shows it; everywhere else the tests in
//! `tests/it/no_std.rs` do: they read the resolved features, and (with `--ignored`) compile a program that has its own
//! panic handler against this crate, which the compiler refuses when anything below links `std`.
//!
//! It knows nothing of worlds, files, tokenizers or networks.
#![no_std]
#![forbid(unsafe_code)]

pub mod boards;
pub mod capacity;
pub mod encoding;
pub mod frame;
pub mod level;
pub mod profile;
pub mod state;
pub mod text;
