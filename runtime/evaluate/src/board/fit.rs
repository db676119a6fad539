//! `stride-eval fit`: whether a policy fits a board, before it is on it.

use std::fmt;

use serde::Serialize;
use stride_engine::MemoryEstimate;
use stride_firmware_config::profile::{DeviceProfile, Memory};

use crate::memory::mebibytes;
use crate::table::Table;

/// What a policy will take, part by part, against the budget of a profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The profile's name.
    pub profile: String,
    /// The policy's file.
    pub policy: String,
    /// Whether it fits.
    pub fits: bool,
    /// Bytes that are left; below 0: bytes that are missing.
    pub left: i64,
    /// Bytes that the process may take.
    pub budget: u64,
    /// Bytes that it will take.
    pub needed: u64,
    /// What for.
    pub parts: Vec<Part>,
}

/// One part of what is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What for.
    pub what: &'static str,
    /// Bytes.
    pub bytes: u64,
    /// What decides it, for people.
    pub by: &'static str,
}

impl Fit {
    /// Adds up the engine's estimate and what the process takes anyway.
    #[must_use]
    pub fn new(profile: &DeviceProfile, policy: String, estimate: &MemoryEstimate) -> Self {
        let fixed = Memory::fixed_bytes(&profile.capacities, &profile.inference);
        let part = |what, bytes, by| Part { what, bytes, by };
        let parts = vec![
            part("weights", estimate.weights, "the policy's file, mapped"),
            part(
                "KV cache",
                estimate.kv_cache,
                "inference.context_tokens, inference.kv",
            ),
            part(
                "scratch",
                estimate.compute,
                "inference.batch_tokens, inference.context_tokens",
            ),
            part("outputs", estimate.outputs, "the policy's vocabulary"),
            part("texts", estimate.tokens, "capacities"),
            part("process and one agent", fixed, "the program itself"),
        ];
        let needed: u64 = parts.iter().map(|part| part.bytes).sum();
        let budget = profile.memory.budget_bytes;
        Self {
            profile: profile.name.to_string(),
            policy,
            fits: needed <= budget,
            left: budget.cast_signed() - needed.cast_signed(),
            budget,
            needed,
            parts,
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["", "bytes", "", "decided by"]);
        for part in &self.parts {
            table.row([
                part.what.to_owned(),
                part.bytes.to_string(),
                mebibytes(Some(part.bytes)),
                part.by.to_owned(),
            ]);
        }
        for (what, bytes, by) in [
            ("needed", self.needed, ""),
            ("budget", self.budget, "memory.budget_bytes"),
        ] {
            table.row([
                what.to_owned(),
                bytes.to_string(),
                mebibytes(Some(bytes)),
                by.to_owned(),
            ]);
        }
        write!(f, "{} on {}\n{table}", self.policy, self.profile)?;
        let by = mebibytes(Some(self.left.unsigned_abs()));
        if self.fits {
            writeln!(f, "fits; {by} are left")
        } else {
            writeln!(
                f,
                "does not fit; {by} are missing: raise memory.budget_bytes, lower inference.context_tokens or batch_tokens, \
                 take inference.kv = \"q8_0\", or quantize the policy further"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_counts_and_the_last_byte_decides() {
        let mut profile = DeviceProfile::standard();
        let estimate = MemoryEstimate {
            weights: 3 << 20,
            kv_cache: 5 << 20,
            compute: 7 << 20,
            outputs: 11,
            tokens: 13,
        };
        let fixed = Memory::fixed_bytes(&profile.capacities, &profile.inference);
        let needed = (15 << 20) + 24 + fixed;
        profile.memory.budget_bytes = needed;
        let fit = Fit::new(&profile, "p.gguf".into(), &estimate);
        assert_eq!((fit.fits, fit.left, fit.needed), (true, 0, needed));
        profile.memory.budget_bytes -= 1;
        let fit = Fit::new(&profile, "p.gguf".into(), &estimate);
        assert_eq!((fit.fits, fit.left), (false, -1));
        assert!(fit.to_string().contains("does not fit"), "{fit}");
        assert_eq!(fit.parts.iter().map(|p| p.bytes).sum::<u64>(), needed);
    }
}
