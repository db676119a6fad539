//! Joules, where the machine counts them (Intel and AMD "RAPL", as Linux shows it).

use std::fs;
use std::path::{Path, PathBuf};

/// Where Linux shows its energy counters.
pub const POWERCAP: &str = "/sys/class/powercap";

/// The energy counters of the processor packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters(Vec<Counter>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Counter {
    file: PathBuf,
    /// Where it starts again from 0.
    range: u64,
}

/// The counters at one moment, in microjoules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading(Vec<u64>);

impl Counters {
    /// The packages' counters under `root`.
    ///
    /// # Errors
    /// Why energy cannot be measured here, for people.
    pub fn find(root: &Path) -> Result<Self, String> {
        let entries = fs::read_dir(root).map_err(|_| {
            format!(
                "{} is not there: this machine shows no energy counters",
                root.display()
            )
        })?;
        let mut counters = Vec::new();
        for entry in entries.flatten() {
            // A package is `intel-rapl:0` (also on AMD); its parts, `intel-rapl:0:0`, are counted in it.
            let name = entry.file_name();
            if name.to_string_lossy().matches(':').count() != 1 {
                continue;
            }
            let folder = entry.path();
            let is_package = fs::read_to_string(folder.join("name"))
                .is_ok_and(|name| name.starts_with("package"));
            if !is_package {
                continue;
            }
            let file = folder.join("energy_uj");
            read(&file).map_err(|error| {
                format!(
                    "{} cannot be read ({error}); the counters are root's",
                    file.display()
                )
            })?;
            let range = read(&folder.join("max_energy_range_uj")).unwrap_or(u64::MAX);
            counters.push(Counter { file, range });
        }
        if counters.is_empty() {
            return Err(format!(
                "{} has no counter of a processor package",
                root.display()
            ));
        }
        Ok(Self(counters))
    }

    /// The counters now.
    #[must_use]
    pub fn read(&self) -> Reading {
        Reading(self.0.iter().map(|c| read(&c.file).unwrap_or(0)).collect())
    }

    /// Joules between two readings.
    #[must_use]
    pub fn joules(&self, from: &Reading, to: &Reading) -> f64 {
        let parts = self.0.iter().zip(from.0.iter().zip(&to.0));
        let micro: u64 = parts
            .map(|(counter, (&from, &to))| {
                if to >= from {
                    to - from
                } else {
                    counter.range.saturating_sub(from).saturating_add(to)
                }
            })
            .sum();
        micro as f64 / 1e6
    }
}

fn read(file: &Path) -> std::io::Result<u64> {
    let text = fs::read_to_string(file)?;
    let bad = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
    text.trim().parse().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(root: &Path, name: &str, label: &str, energy: &str) {
        let folder = root.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("name"), format!("{label}\n")).unwrap();
        fs::write(folder.join("energy_uj"), energy).unwrap();
        fs::write(folder.join("max_energy_range_uj"), "1000\n").unwrap();
    }

    #[test]
    fn packages_are_added_up_across_an_overflow() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(Counters::find(root).unwrap_err().contains("no counter"));
        zone(root, "intel-rapl:0", "package-0", "900\n");
        zone(root, "intel-rapl:0:0", "core", "5\n");
        zone(root, "intel-rapl:1", "package-1", "10\n");
        zone(root, "intel-rapl:2", "psys", "7\n");
        let counters = Counters::find(root).unwrap();
        let before = counters.read();
        fs::write(root.join("intel-rapl:0/energy_uj"), "100").unwrap();
        fs::write(root.join("intel-rapl:1/energy_uj"), "15").unwrap();
        let joules = counters.joules(&before, &counters.read());
        assert!((joules - 205e-6).abs() < 1e-12, "{joules}");
        fs::write(root.join("intel-rapl:1/energy_uj"), "much").unwrap();
        assert!(Counters::find(root).unwrap_err().contains("intel-rapl:1"));
        let gone = Counters::find(&root.join("gone")).unwrap_err();
        assert!(gone.contains("no energy counters"), "{gone}");
    }
}
