//! Which machine this is, and how long its cores have worked for this process.

use std::time::Duration;

/// The processor for readers of a report: its name, or its architecture where it has none.
#[must_use]
pub fn processor() -> String {
    stride_device::processor().unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// Cores that this process may use.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Processor time of all threads of this process: what others do on the machine does not count. `None` where the system does not
/// tell.
#[must_use]
pub fn cpu_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Duration::try_from(time).ok()
    }
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time() {
        if let Some(before) = cpu_time() {
            let work: u64 = (0..5_000_000_u64)
                .map(|n| std::hint::black_box(n) % 7)
                .sum();
            assert!(work > 0 && cpu_time().unwrap() > before);
        }
        assert!(!processor().is_empty() && cores() > 0);
    }
}
