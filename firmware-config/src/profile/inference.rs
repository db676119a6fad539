//! How a policy is run on one board.

use serde::{Deserialize, Serialize};

use super::range::Field;
use super::{KvType, ProfileError, Quantization};

/// How a policy is run on one board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inference {
    /// Threads that compute, 1 to [`Inference::MAX_THREADS`]; default 2. More than the board has cores makes it slower.
    pub threads: u32,
    /// Tokens of the context window (cells of the KV cache); default 1024. The longest prompt and the longest utterance
    /// must fit together.
    pub context_tokens: u32,
    /// Tokens of a prompt computed at once; default 256, at most `context_tokens`. Larger is faster on many cores and takes
    /// more scratch memory.
    pub batch_tokens: u32,
    /// Layers kept on a GPU; default 0, which is the CPU alone. More layers than the policy has means all of them.
    pub gpu_layers: u32,
    /// The quantization that a policy for this board is expected to have. Left out (the default): any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// How the cells of the KV cache are stored; default `q8_0`.
    pub kv: KvType,
}

impl Inference {
    /// Inference of the standard profile: two CPU threads, any policy.
    pub const STANDARD: Self = Self {
        threads: 2,
        context_tokens: 1024,
        batch_tokens: 256,
        gpu_layers: 0,
        quantization: None,
        kv: KvType::Q8_0,
    };

    /// Threads at most.
    pub const MAX_THREADS: u32 = 256;
    /// Tokens of the smallest context that holds any frame at all.
    pub const MIN_CONTEXT: u32 = 64;
    /// Tokens of the largest context.
    pub const MAX_CONTEXT: u32 = 131_072;
    /// GPU layers at most.
    pub const MAX_GPU_LAYERS: u32 = 1_000;

    /// Bytes of the full KV cache of a policy with `layers` layers whose keys and values each have `width` elements in a layer
    /// (number of KV heads times head size).
    #[must_use]
    pub const fn kv_bytes(&self, layers: u32, width: u32) -> u64 {
        let cells = self.context_tokens as u64;
        let row = self.kv.row_bytes(width);
        cells
            .saturating_mul(layers as u64)
            .saturating_mul(2)
            .saturating_mul(row)
    }

    /// Whether a policy of this quantization is one that the board expects.
    #[must_use]
    pub fn expects(&self, policy: Quantization) -> bool {
        self.quantization.is_none_or(|expected| expected == policy)
    }

    pub(super) fn problems(&self, report: &mut dyn FnMut(ProfileError)) {
        Field::new("inference.threads", u64::from(self.threads))
            .at_least(1, "somebody must compute", report)
            .at_most(u64::from(Self::MAX_THREADS), report);
        Field::new("inference.context_tokens", u64::from(self.context_tokens))
            .at_least(
                u64::from(Self::MIN_CONTEXT),
                "less holds no frame with an observation",
                report,
            )
            .at_most(u64::from(Self::MAX_CONTEXT), report);
        Field::new("inference.batch_tokens", u64::from(self.batch_tokens)).at_least(
            1,
            "a prompt is computed in batches",
            report,
        );
        if self.batch_tokens > self.context_tokens {
            report(ProfileError::BatchOverContext {
                batch: self.batch_tokens,
                context: self.context_tokens,
            });
        }
        Field::new("inference.gpu_layers", u64::from(self.gpu_layers))
            .at_most(u64::from(Self::MAX_GPU_LAYERS), report);
    }
}

impl Default for Inference {
    fn default() -> Self {
        Self::STANDARD
    }
}
