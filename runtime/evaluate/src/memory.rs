//! Memory of this process, as the kernel counts it.

use serde::{Deserialize, Serialize};

/// Lets the kernel forget [`Memory::peak`], so that the peak of what follows shows. Says whether it did; it cannot on
/// systems other than Linux.
pub fn forget_peak() -> bool {
    // proc(5): 5 resets the peak resident set size ("high water mark").
    std::fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// Resident memory in bytes. `None` where the system does not tell (other than Linux).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Most resident memory so far (`VmHWM`), file-backed pages such as a mapped model included.
    pub peak: Option<u64>,
    /// Resident memory now (`VmRSS`).
    pub resident: Option<u64>,
    /// Anonymous memory now, swapped or not (`RssAnon + VmSwap`): what would grow if something leaked.
    pub anonymous: Option<u64>,
}

impl Memory {
    /// Asks the kernel.
    #[must_use]
    pub fn now() -> Self {
        std::fs::read_to_string("/proc/self/status")
            .map_or_else(|_| Self::default(), |s| Self::parse(&s))
    }

    fn parse(status: &str) -> Self {
        let field = |name: &str| {
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            kib.checked_mul(1024)
        };
        Self {
            peak: field("VmHWM"),
            resident: field("VmRSS"),
            anonymous: field("RssAnon").map(|anon| anon + field("VmSwap").unwrap_or(0)),
        }
    }
}

/// Bytes as MiB with one decimal, or a dash.
#[must_use]
pub fn mebibytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "-".to_owned(),
        |bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_figures() {
        let memory = Memory::parse(
            "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t1024 kB\nRssAnon:\t 512 kB\nVmSwap:\t 4 kB\n",
        );
        assert_eq!(memory.peak, Some(2 << 20));
        assert_eq!(memory.resident, Some(1 << 20));
        assert_eq!(memory.anonymous, Some(516 << 10));
        assert_eq!(mebibytes(memory.peak), "2.0 MiB");
    }

    #[test]
    fn says_nothing_where_the_kernel_says_nothing() {
        let memory = Memory::parse("VmHWM: lots\n");
        assert_eq!(memory, Memory::default());
        assert_eq!(mebibytes(memory.peak), "-");
    }
}
