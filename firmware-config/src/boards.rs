//! The shipped profiles, as the TOML texts of `boards/`, so that a user reads where each figure comes from.
//!
//! This crate reads no TOML; the programs do:
//!
//! ```
//! use stride_firmware_config::{boards, profile::DeviceProfile};
//!
//! let text = boards::find("raspberry-pi-5").expect("it is shipped");
//! let profile: DeviceProfile = toml::from_str(text)?;
//! assert_eq!(profile.name.as_str(), "raspberry-pi-5");
//! # Ok::<(), toml::de::Error>(())
//! ```

/// Every shipped profile: its name and its TOML text, in order of the name.
pub const BOARDS: &[(&str, &str)] = &[
    ("arm-512mb", include_str!("../boards/arm-512mb.toml")),
    (
        "gateway-x86-2core",
        include_str!("../boards/gateway-x86-2core.toml"),
    ),
    (
        "jetson-orin-nano",
        include_str!("../boards/jetson-orin-nano.toml"),
    ),
    (
        "raspberry-pi-5",
        include_str!("../boards/raspberry-pi-5.toml"),
    ),
];

/// The TOML text of the shipped profile of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static str> {
    BOARDS
        .iter()
        .find_map(|&(board, text)| (board == name).then_some(text))
}

/// The names of the shipped profiles, in order: for a message that lists them.
pub fn names() -> impl Iterator<Item = &'static str> {
    BOARDS.iter().map(|&(name, _)| name)
}
