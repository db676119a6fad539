//! A pool of worker threads that outlives a decode call.

use std::num::NonZeroU32;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

/// ggml's worker threads. Without a pool of its own, a context starts and joins threads for every token.
#[derive(Debug)]
pub(super) struct ThreadPool(NonNull<sys::ggml_threadpool>);

// SAFETY: the pool is a handle that ggml guards with its own locks; it is not bound to the thread that made it.
unsafe impl Send for ThreadPool {}

impl ThreadPool {
    /// Starts the workers; `None` when the system refuses them.
    pub(super) fn new(threads: NonZeroU32) -> Option<Self> {
        let threads = i32::try_from(threads.get()).ok()?;
        // SAFETY: pure function that fills a plain struct.
        let mut params = unsafe { sys::ggml_threadpool_params_default(threads) };
        // SAFETY: `params` is valid for the call and copied by it.
        let pool = unsafe { sys::ggml_threadpool_new(&raw mut params) };
        NonNull::new(pool).map(Self)
    }

    pub(super) fn as_ptr(&self) -> *mut sys::ggml_threadpool {
        self.0.as_ptr()
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `ggml_threadpool_new` and is freed once.
        unsafe { sys::ggml_threadpool_free(self.0.as_ptr()) };
    }
}
