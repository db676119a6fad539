//! How much of the process's time goes into `llama_decode`: what a benchmark needs to tell llama.cpp's share from ours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

static CALLS: AtomicU64 = AtomicU64::new(0);
static TOKENS: AtomicU64 = AtomicU64::new(0);
static NANOS: AtomicU64 = AtomicU64::new(0);

/// What llama.cpp was asked for since the process started, all policies together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NativeUse {
    /// Calls of `llama_decode`.
    pub calls: u64,
    /// Tokens in their batches.
    pub tokens: u64,
    /// Wall time inside them.
    pub time: Duration,
}

impl NativeUse {
    /// What was used until now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            calls: CALLS.load(Ordering::Relaxed),
            tokens: TOKENS.load(Ordering::Relaxed),
            time: Duration::from_nanos(NANOS.load(Ordering::Relaxed)),
        }
    }

    /// What was used since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            tokens: self.tokens.saturating_sub(earlier.tokens),
            time: self.time.saturating_sub(earlier.time),
        }
    }
}

/// Runs one call of `llama_decode` with this many tokens, and counts it.
pub(super) fn counted<T>(tokens: usize, decode: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = decode();
    let nanos = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    CALLS.fetch_add(1, Ordering::Relaxed);
    TOKENS.fetch_add(tokens as u64, Ordering::Relaxed);
    NANOS.fetch_add(nanos, Ordering::Relaxed);
    result
}
