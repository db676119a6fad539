//! What an engine will take, known before it is loaded.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use crate::batch::BatchOptions;
use crate::error::EngineError;
use crate::native::{Context, ContextParams};
use crate::options::EngineOptions;
use crate::policy::{context_params, open_model};
use crate::writing::Writer;

/// Bytes that an engine takes, by what they are for. The process itself (program text, C runtime, allocator) comes on
/// top, see [`stride_firmware_config::profile::Memory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryEstimate {
    /// The weights. They are mapped from the file: the system may drop and read them again.
    pub weights: u64,
    /// The KV caches of all slots.
    pub kv_cache: u64,
    /// llama.cpp's scratch memory for the largest batch.
    pub compute: u64,
    /// Logits.
    pub outputs: u64,
    /// Tokens and texts on our side.
    pub tokens: u64,
}

impl MemoryEstimate {
    /// All of it.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.weights + self.private()
    }

    /// What cannot be dropped: all but the weights.
    #[must_use]
    pub const fn private(&self) -> u64 {
        self.kv_cache + self.compute + self.outputs + self.tokens
    }
}

/// What [`LlamaPolicy::load`](crate::LlamaPolicy::load) would take with these options. llama.cpp plans its buffers from the
/// file's metadata; neither weights are read nor buffers allocated.
///
/// # Errors
/// As [`LlamaPolicy::load`](crate::LlamaPolicy::load).
pub fn estimate(path: &Path, options: &EngineOptions) -> Result<MemoryEstimate, EngineError> {
    let outputs = NonZeroU32::MIN.saturating_add(options.draft_tokens);
    of_sequences(path, options, NonZeroU32::MIN, outputs)
}

/// What [`BatchPolicy::load`](crate::BatchPolicy::load) would take with these options.
///
/// # Errors
/// As [`BatchPolicy::load`](crate::BatchPolicy::load).
pub fn estimate_batch(path: &Path, options: &BatchOptions) -> Result<MemoryEstimate, EngineError> {
    options.validate()?;
    of_sequences(path, &options.engine, options.slots, options.slots)
}

fn of_sequences(
    path: &Path,
    options: &EngineOptions,
    sequences: NonZeroU32,
    outputs: NonZeroU32,
) -> Result<MemoryEstimate, EngineError> {
    let model = open_model(path, options, true)?;
    let weights = model.weight_bytes();
    let writer = Writer::new(Arc::clone(&model), options.clone())?;
    let params = ContextParams {
        sequences,
        outputs,
        ..context_params(writer.options(), writer.context_tokens(), &model)
    };
    let (_, context) = Context::measured(model, params)?;
    // A call's tokens and those that its slot holds.
    let tokens = 2 * 4 * u64::from(writer.context_tokens()) * u64::from(sequences.get());
    Ok(MemoryEstimate {
        weights,
        kv_cache: context.cache,
        compute: context.compute,
        outputs: context.outputs,
        tokens,
    })
}
