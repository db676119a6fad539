//! What one board can hold: the file that an operator writes.
//!
//! A profile is plain data with serde; this crate reads no files. Every key has a default, an unknown key is refused,
//! and [`DeviceProfile::validate`] refuses what cannot work, naming the field, its value, what is allowed and what to do.
//!
//! ```
//! use stride_firmware_config::profile::DeviceProfile;
//!
//! let profile: DeviceProfile = toml::from_str(
//!     r#"
//!     name = "kiosk"
//!     [inference]
//!     threads = 4
//!     [memory]
//!     budget_bytes = 134_217_728
//!     "#,
//! )?;
//! profile.validate()?;
//! assert_eq!(profile.limits.actions_per_episode, 50);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The shipped profiles are in [`crate::boards`].

mod agents;
mod capacities;
mod device;
mod error;
mod inference;
mod limits;
mod measured;
mod memory;
mod quantization;
mod range;

pub use agents::Agents;
pub use capacities::Capacities;
pub use device::{DESCRIPTION, DeviceProfile, NAME};
pub use error::ProfileError;
pub use inference::Inference;
pub use limits::Limits;
pub use measured::{
    FEATURE, FEATURES, HASH, Measured, MeasuredRun, PROCESSOR, RUNS, WEIGHT_LAYOUTS,
};
pub use memory::{Memory, PROCESS_BYTES};
pub use quantization::{KvType, Quantization};
