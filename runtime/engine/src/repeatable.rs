//! Whether a frame gets the same answer again.

use std::path::Path;

use crate::native::all_q8_0;
use crate::options::{EngineOptions, KvType, Sampling};

/// Whether a policy with these options answers a frame with the same tokens each time, whatever is decoded beside it, whatever
/// its cache holds, in this process or the next one of the same build on the same machine.
///
/// That holds where logits are equal to the last bit: Q8_0 weights on the CPU, and an attention whose sums do not depend on how
/// tokens are batched. Anything else may differ where two tokens are as likely to the last bits, so the answer is no.
#[must_use]
pub fn repeatable(path: &Path, options: &EngineOptions) -> bool {
    let attention = match options.kv_type {
        KvType::Q8_0 => true,
        KvType::F16 => !options.flash_attention,
        KvType::F32 => false,
    };
    attention
        && options.gpu_layers == 0
        && !options.repack_weights
        && options.sampling == Sampling::Greedy
        && all_q8_0(path) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_logits_are_equal_to_the_last_bit() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let shipped = models.join("stride-household-q8_0.gguf");
        let options = EngineOptions::default();
        assert!(repeatable(&shipped, &options));
        let fused = EngineOptions {
            kv_type: KvType::F16,
            flash_attention: true,
            ..options.clone()
        };
        assert!(!repeatable(&shipped, &fused));
        let quantized = EngineOptions {
            kv_type: KvType::Q8_0,
            ..fused
        };
        assert!(repeatable(&shipped, &quantized));
        let offloaded = EngineOptions {
            gpu_layers: 1,
            ..options.clone()
        };
        assert!(!repeatable(&shipped, &offloaded));
        assert!(!repeatable(Path::new(file!()), &options), "no GGUF");
    }
}
