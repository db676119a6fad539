//! What the settings of every stage have in common: TOML in and out, and ranges.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, TrainError};

/// Settings that a TOML file holds. Every field has a default; unknown fields are refused.
pub trait Settings: Serialize + DeserializeOwned + Default {
    /// Reads settings from a TOML file.
    ///
    /// # Errors
    /// When the file cannot be read, does not parse, or names an unknown setting.
    fn from_file(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(TrainError::io(path))?;
        toml::from_str(&text).map_err(|source| TrainError::ConfigFile {
            path: path.to_owned(),
            source: Box::new(source),
        })
    }

    /// The settings that a run begins with: of the file that is named, else of the run that goes on (`stored`), else the defaults.
    ///
    /// # Errors
    /// As [`Self::from_file`].
    fn chosen(named: Option<&Path>, resume: bool, stored: &Path) -> Result<Self> {
        match named {
            Some(path) => Self::from_file(path),
            None if resume && stored.exists() => Self::from_file(stored),
            None => Ok(Self::default()),
        }
    }

    /// The settings as TOML, defaults included.
    #[must_use]
    fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("settings are plain tables of numbers and flags")
    }
}

/// Refuses 0.
pub(crate) fn positive(field: &'static str, value: u64) -> Result<()> {
    if value == 0 {
        return Err(TrainError::Config {
            field,
            reason: "must be positive".into(),
        });
    }
    Ok(())
}

/// Refuses what is not in `low..=high`, and what is no number.
pub(crate) fn ranged(field: &'static str, value: f64, low: f64, high: f64) -> Result<()> {
    if !(low..=high).contains(&value) {
        return Err(TrainError::Config {
            field,
            reason: format!("{value} is not between {low} and {high}"),
        });
    }
    Ok(())
}
