//! Reused scratch memory: activations of one shard are as large as those of the next.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that come back when they are dropped. Clones share the buffers.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    free: Arc<Mutex<Vec<Vec<f32>>>>,
}

/// A buffer on loan.
#[derive(Debug)]
pub struct Buffer {
    data: Vec<f32>,
    home: Arc<Mutex<Vec<Vec<f32>>>>,
}

impl Pool {
    /// A buffer of `len` elements with unspecified contents.
    #[must_use]
    pub fn take(&self, len: usize) -> Buffer {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // The smallest that is large enough; else any, to grow it.
        let best = free
            .iter()
            .enumerate()
            .filter(|(_, buffer)| buffer.capacity() >= len)
            .min_by_key(|(_, buffer)| buffer.capacity())
            .map(|(index, _)| index);
        let mut data = best.map_or_else(Vec::new, |index| free.swap_remove(index));
        drop(free);
        data.resize(len, 0.0);
        Buffer {
            data,
            home: Arc::clone(&self.free),
        }
    }

    /// A buffer of `len` zeros.
    #[must_use]
    pub fn zeros(&self, len: usize) -> Buffer {
        let mut buffer = self.take(len);
        buffer.fill(0.0);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        self.home
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(data);
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }
}
