//! What the machine says of itself and of a process. Where it says nothing, nothing is made up.

use std::fs;
use std::path::Path;

use stride_client::observe::{DeviceState, ProcessState};

/// Sensors that are asked at most.
const SENSORS: usize = 64;

/// A process of this machine; `None` when it has ended.
#[must_use]
pub fn process(pid: u32) -> Option<ProcessState> {
    let folder = Path::new("/proc").join(pid.to_string());
    let status = fs::read_to_string(folder.join("status")).ok()?;
    Some(ProcessState {
        pid,
        resident_bytes: kibibytes(&status, "VmRSS:").unwrap_or(0),
        files: fs::read_dir(folder.join("fd")).map_or(0, |files| files.count() as u64),
    })
}

/// This machine, with the memory that a profile allows and the state in a folder.
#[must_use]
pub fn device(budget_bytes: u64, state: &Path) -> DeviceState {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    DeviceState {
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        load: load.split(' ').next().and_then(|load| load.parse().ok()),
        memory_bytes: kibibytes(&memory, "MemTotal:"),
        memory_available_bytes: kibibytes(&memory, "MemAvailable:"),
        budget_bytes,
        celsius: hottest(Path::new("/sys/class/thermal")),
        store_bytes: size(state),
        disk_free_bytes: rustix::fs::statvfs(state)
            .ok()
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
    }
}

/// The value of a line such as `VmRSS:     1234 kB`, in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let value: u64 = line.split_whitespace().next()?.parse().ok()?;
    value.checked_mul(1024)
}

/// The hottest of the kernel's thermal zones.
fn hottest(zones: &Path) -> Option<f64> {
    let zones = fs::read_dir(zones).ok()?.flatten().take(SENSORS);
    zones
        .filter_map(|zone| {
            let text = fs::read_to_string(zone.path().join("temp")).ok()?;
            Some(text.trim().parse::<f64>().ok()? / 1000.0)
        })
        .max_by(f64::total_cmp)
}

/// Bytes of the files in a folder; folders in it are left out.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let files = entries.flatten().filter_map(|entry| entry.metadata().ok());
    files
        .filter(fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let text = "Name:\tx\nVmPeak:\t  99 kB\nVmRSS:\t    12 kB\n";
        assert_eq!(kibibytes(text, "VmRSS:"), Some(12 << 10));
        assert_eq!(kibibytes(text, "VmHWM:"), None);
        assert_eq!(kibibytes("VmRSS: much\n", "VmRSS:"), None);
    }

    #[test]
    fn this_process_and_this_machine_are_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), [0; 100]).unwrap();
        fs::create_dir(folder.path().join("zone")).unwrap();
        fs::write(folder.path().join("zone/temp"), "41500\n").unwrap();
        let machine = device(7, folder.path());
        assert_eq!((machine.budget_bytes, machine.store_bytes), (7, 100));
        assert!(machine.cores >= 1 && machine.disk_free_bytes.is_some());
        assert!(machine.memory_available_bytes < machine.memory_bytes);
        assert_eq!(hottest(folder.path()), Some(41.5));
        let here = process(std::process::id()).unwrap();
        assert!(here.resident_bytes > 1 << 20 && here.files >= 3, "{here:?}");
        assert_eq!(process(u32::MAX), None);
    }
}
