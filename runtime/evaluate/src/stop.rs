//! A wish to stop early, passed from a signal handler to whoever plays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once, by Ctrl-C; loops look at it between two episodes, so an episode is never cut.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A wish that nobody has uttered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Utters the wish; says whether it had been uttered before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }

    /// Whether to stop.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_wish() {
        let stop = Stop::new();
        let seen = stop.clone();
        assert!(!seen.requested());
        assert!(!stop.request());
        assert!(seen.requested());
        assert!(seen.request());
    }
}
