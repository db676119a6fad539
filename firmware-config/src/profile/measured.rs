//! What was measured on the board: the only section of a profile that a program writes.

use serde::{Deserialize, Serialize};

use super::range::Field;
use super::{Inference, ProfileError};
use crate::text::BoundedText;

/// Bytes of a processor's name at most; longer names are cut.
pub const PROCESSOR: usize = 64;

/// Bytes of a policy's hash: SHA-256 in hexadecimal digits.
pub const HASH: usize = 64;

/// Bytes of a CPU feature's name at most.
pub const FEATURE: usize = 16;

/// Settings that one measurement compares at most.
pub const RUNS: usize = 16;

/// CPU features that can be marked at most.
pub const FEATURES: usize = 8;

/// The feature of llama.cpp's CPU-specific weight layouts: AMX on the processors that have it (llama.cpp#20824 crashes there),
/// repacked blocks elsewhere.
pub const WEIGHT_LAYOUTS: &str = "weight-layouts";

/// What one policy was measured to take on one machine, and what an engine should use there. Times are medians.
///
/// It is believed only on the processor that it was measured on; elsewhere the profile's own figures count
/// ([`DeviceProfile::on`](super::DeviceProfile::on)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// SHA-256 of the policy's file.
    pub policy: BoundedText<HASH>,
    /// The processor, as the system names it.
    pub processor: BoundedText<PROCESSOR>,
    /// The fastest number of threads for a step, 1 to [`Inference::MAX_THREADS`].
    pub threads: u32,
    /// The fastest size of a prompt's batch, at most [`Inference::context_tokens`].
    pub batch_tokens: u32,
    /// Bytes resident after the last step with these two, weights and program included.
    pub resident_bytes: u64,
    /// Of these, not backed by files.
    pub anonymous_bytes: u64,
    /// CPU features whose kernels crashed or computed something else in a probe; an engine leaves them alone.
    #[serde(default)]
    pub bad_features: heapless::Vec<BoundedText<FEATURE>, FEATURES>,
    /// What was compared.
    #[serde(default)]
    pub runs: heapless::Vec<MeasuredRun, RUNS>,
}

/// One setting and its times, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredRun {
    /// Threads that computed.
    pub threads: u32,
    /// Tokens of a prompt computed at once.
    pub batch_tokens: u32,
    /// One token of a prompt, in a prompt of a whole batch or the longest that was played.
    pub prefill_micros: u32,
    /// One token of an utterance.
    pub decode_micros: u32,
    /// One step.
    pub step_micros: u32,
}

impl Measured {
    /// Whether this was measured on the processor of this name. No name is no processor's.
    #[must_use]
    pub fn is_of(&self, processor: &str) -> bool {
        if processor.is_empty() {
            return false;
        }
        let mut name = BoundedText::<PROCESSOR>::new();
        // Cut as it was when it was written; cutting never refuses.
        let cut = name.set(processor, crate::text::Overflow::Cut);
        cut.is_ok() && name == self.processor
    }

    /// Whether the kernels of a CPU feature failed in a probe.
    #[must_use]
    pub fn is_bad(&self, feature: &str) -> bool {
        self.bad_features.iter().any(|bad| *bad == feature)
    }

    pub(super) fn problems(&self, inference: &Inference, report: &mut dyn FnMut(ProfileError)) {
        Field::new("measured.threads", u64::from(self.threads))
            .at_least(1, "somebody must compute", report)
            .at_most(u64::from(Inference::MAX_THREADS), report);
        Field::new("measured.batch_tokens", u64::from(self.batch_tokens))
            .at_least(1, "a prompt is computed in batches", report)
            .at_most(u64::from(inference.context_tokens), report);
    }
}
