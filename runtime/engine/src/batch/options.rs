//! Sizes of a batch engine.

use std::num::NonZeroU32;

use crate::error::EngineError;
use crate::options::EngineOptions;

/// Everything a [`BatchPolicy`](super::BatchPolicy) is told when it loads a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchOptions {
    /// As for a single engine. `context_tokens` is the context of one slot.
    pub engine: EngineOptions,
    /// Calls that are answered at the same time, at most 256. Default 16. Each has a KV cache of the whole context.
    pub slots: NonZeroU32,
    /// Calls that may wait for a slot; more are refused. Default 1024.
    pub waiting: NonZeroU32,
}

const SLOTS: NonZeroU32 = NonZeroU32::new(16).expect("16 is not 0");
const WAITING: NonZeroU32 = NonZeroU32::new(1024).expect("1024 is not 0");

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            engine: EngineOptions::default(),
            slots: SLOTS,
            waiting: WAITING,
        }
    }
}

impl BatchOptions {
    /// Sequences at most: llama.cpp's own limit.
    pub const MOST_SLOTS: u32 = 256;

    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// [`EngineError::Option`] names the option and its limit.
    pub fn validate(&self) -> Result<(), EngineError> {
        if self.slots.get() > Self::MOST_SLOTS {
            return Err(EngineError::Option {
                field: "slots",
                problem: format!("{} is more than {}", self.slots, Self::MOST_SLOTS),
            });
        }
        if self.slots > self.engine.batch_tokens {
            return Err(EngineError::Option {
                field: "slots",
                problem: format!(
                    "{} slots need as many batch_tokens, not {}",
                    self.slots, self.engine.batch_tokens
                ),
            });
        }
        self.engine.validate()
    }
}
