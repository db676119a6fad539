//! The `[measured]` section of a profile's file. Nothing else in the file is touched, comments included.

use std::path::Path;

use serde::Serialize;
use stride_firmware_config::profile::Measured;

use crate::error::EvalError;
use crate::output::write_text;

/// The profile's text with this section in place of the one that it has, at its end.
///
/// # Errors
/// When the section cannot be written as TOML.
pub fn with_measured(text: &str, measured: &Measured) -> Result<String, toml::ser::Error> {
    #[derive(Serialize)]
    struct Section<'a> {
        measured: &'a Measured,
    }
    let section = toml::to_string(&Section { measured })?;
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with('[') {
            inside = is_measured(line);
        }
        if line == NOTE || inside {
            continue;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    let kept = kept.trim_end();
    Ok(format!("{kept}\n\n{NOTE}\n{section}"))
}

/// Replaces the section in a profile's file. The file is written beside, synced and renamed.
///
/// # Errors
/// When the file cannot be read or written.
pub fn write_measured(path: &Path, measured: &Measured) -> Result<(), EvalError> {
    let text = std::fs::read_to_string(path).map_err(EvalError::file(path))?;
    let text = with_measured(&text, measured)
        .map_err(std::io::Error::other)
        .map_err(EvalError::file(path))?;
    write_text(path, &text)
}

const NOTE: &str = "# Written by `stride-eval measure`; it replaces this section and nothing else.";

/// Whether a table header is `[measured]` or one of its parts.
fn is_measured(header: &str) -> bool {
    let name = header.trim().trim_start_matches('[').trim_start();
    let rest = name.strip_prefix("measured");
    rest.is_some_and(|rest| rest.trim_start().starts_with([']', '.']))
}

#[cfg(test)]
mod tests {
    use stride_firmware_config::profile::{DeviceProfile, MeasuredRun};

    use super::*;

    fn measured(threads: u32) -> Measured {
        let run = MeasuredRun {
            threads,
            batch_tokens: 64,
            prefill_micros: 50,
            decode_micros: 300,
            step_micros: 21_000,
        };
        Measured {
            policy: "ab".try_into().unwrap(),
            processor: "Cortex".try_into().unwrap(),
            threads,
            batch_tokens: 64,
            resident_bytes: 1,
            anonymous_bytes: 1,
            bad_features: [].into_iter().collect(),
            runs: [run, run].into_iter().collect(),
        }
    }

    #[test]
    fn replaces_its_section_and_keeps_every_other_line() {
        let text =
            "# Kiosk\nname = \"kiosk\"  # ours\n\n[memory]\n# half\nbudget_bytes = 268_435_456\n";
        let once = with_measured(text, &measured(1)).unwrap();
        assert!(once.starts_with(text.trim_end()), "{once}");
        let twice = with_measured(&once, &measured(2)).unwrap();
        let profile: DeviceProfile = toml::from_str(&twice).unwrap();
        assert_eq!(profile.measured, Some(measured(2)));
        assert_eq!(profile.memory.budget_bytes, 268_435_456);
        assert_eq!(with_measured(&once, &measured(1)).unwrap(), once);
        // A section that stands before others is taken out there.
        let before = format!(
            "[measured]\nthreads = 9\n[[ measured.runs ]]\nx = 1\n{}",
            &text[23..]
        );
        let moved = with_measured(&before, &measured(3)).unwrap();
        assert!(
            !moved.contains("threads = 9") && moved.contains("# half"),
            "{moved}"
        );
    }
}
