//! Reads the device profiles that operators write: a shipped board by its name, or a TOML file.
//!
//! The profile itself is plain data of `stride-firmware-config`, which reads no files.
#![forbid(unsafe_code)]

mod processor;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use stride_firmware_config::boards;
use stride_firmware_config::profile::DeviceProfile;

pub use processor::processor;

/// Bytes of a profile at most; the shipped ones have about two thousand.
const MAX_BYTES: u64 = 64 << 10;

/// Why a profile was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileFileError {
    /// Neither a shipped board nor a readable file.
    #[error(
        "profile {}: {source} (it is no shipped board either; those are {})",
        path.display(),
        boards::names().collect::<Vec<_>>().join(", ")
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, or keys and values that a profile does not have.
    #[error("profile {}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said; it names line and column.
        source: Box<toml::de::Error>,
    },
    /// Values that do not work, all of them.
    #[error("profile {}: {}", path.display(), problems.join("; "))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// One message for each problem; each names its field.
        problems: Vec<String>,
    },
}

/// The profile as it holds on this machine: what was measured here goes before what its author thought of, and what was measured
/// elsewhere is left out. Every program that runs a policy under a profile reads it here.
///
/// # Errors
/// As [`read_profile`].
pub fn profile_here(name: &str) -> Result<DeviceProfile, ProfileFileError> {
    Ok(read_profile(name)?.on(processor().as_deref()))
}

/// Reads the shipped profile of this name, or else the TOML file at this path, and checks it.
///
/// # Errors
/// When it is neither, does not parse, or holds values that do not work; all problems are listed.
pub fn read_profile(name: &str) -> Result<DeviceProfile, ProfileFileError> {
    let path = Path::new(name);
    let text = match boards::find(name) {
        Some(shipped) => shipped.to_owned(),
        None => read_bounded(path).map_err(|source| ProfileFileError::Read {
            path: path.to_owned(),
            source,
        })?,
    };
    let profile: DeviceProfile =
        toml::from_str(&text).map_err(|source| ProfileFileError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
    let mut problems = Vec::new();
    profile.problems(|problem| problems.push(problem.to_string()));
    if problems.is_empty() {
        Ok(profile)
    } else {
        Err(ProfileFileError::Invalid {
            path: path.to_owned(),
            problems,
        })
    }
}
/// The file's text, if it is no longer than [`MAX_BYTES`].
fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {MAX_BYTES} bytes, as no profile is"),
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use stride_agent::agent::Limits;

    use super::*;

    fn refused(text: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, text).unwrap();
        let path = file.path().to_str().unwrap();
        read_profile(path).unwrap_err().to_string()
    }

    #[test]
    fn shipped_boards_are_found_by_name() {
        for board in boards::names() {
            let profile = read_profile(board).unwrap();
            assert_eq!(Limits::of_profile(&profile).task, profile.capacities.task);
        }
    }

    #[test]
    fn what_was_measured_here_is_used_and_what_was_measured_elsewhere_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let under = |measured_on: &str| {
            let text = format!(
                "[inference]\nthreads = 4\nbatch_tokens = 256\n[measured]\npolicy = ''\nprocessor = '{measured_on}'\n\
                 threads = 3\nbatch_tokens = 32\nresident_bytes = 0\nanonymous_bytes = 0\n"
            );
            std::fs::write(&file, text).unwrap();
            let profile = profile_here(file.path().to_str().unwrap()).unwrap();
            let run = profile.inference;
            (run.threads, run.batch_tokens, profile.measured.is_some())
        };
        assert_eq!(under("another processor"), (4, 256, false));
        assert_eq!(under(""), (4, 256, false));
        if let Some(processor) = processor() {
            assert_eq!(under(&processor), (3, 32, true));
        }
    }

    #[test]
    fn problems_are_named() {
        assert!(refused("[inference]\nthreads = \"two\"").contains("line 2"));
        assert!(refused("colour = \"red\"").contains("colour"));
        let both = refused("name = \"\"\n[inference]\nthreads = 0");
        assert!(
            both.contains("name:") && both.contains("inference.threads = 0"),
            "{both}"
        );
        assert!(refused(&"#\n".repeat(40_000)).contains("65536 bytes"));
        let missing = read_profile("no-such-board").unwrap_err().to_string();
        assert!(missing.contains("raspberry-pi-5"), "{missing}");
    }
}
