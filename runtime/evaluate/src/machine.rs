//! Which machine this is, and how long its cores have worked for this process.

use std::time::Duration;

/// The processor's name as the system knows it.
#[must_use]
pub fn processor() -> String {
    let known = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    named(&known).unwrap_or_else(|| std::env::consts::ARCH.to_owned())
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

/// x86 writes `model name`; Arm boards write `Model` or nothing.
fn named(cpuinfo: &str) -> Option<String> {
    let field = |wanted: &str| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == wanted && !value.trim().is_empty()).then(|| value.trim().to_owned())
        })
    };
    field("model name").or_else(|| field("Model"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_name() {
        let x86 = "processor\t: 0\nmodel name\t: AMD EPYC\nmodel name\t: other\n";
        assert_eq!(named(x86).unwrap(), "AMD EPYC");
        let arm = "processor\t: 0\nModel\t\t: Raspberry Pi 5\n";
        assert_eq!(named(arm).unwrap(), "Raspberry Pi 5");
        assert_eq!(named("nothing"), None);
        if let Some(before) = cpu_time() {
            let work: u64 = (0..5_000_000_u64)
                .map(|n| std::hint::black_box(n) % 7)
                .sum();
            assert!(work > 0 && cpu_time().unwrap() > before);
        }
        assert!(!processor().is_empty() && cores() > 0);
    }
}
