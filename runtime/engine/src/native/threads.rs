//! A pool of worker threads that outlives a decode call.

use std::ffi::c_void;
use std::num::NonZeroU32;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

use super::kernels;

/// ggml's worker threads. Without a pool of its own, a context starts and joins threads for every token.
#[derive(Debug)]
pub(super) struct ThreadPool {
    pool: NonNull<sys::ggml_threadpool>,
    free: Free,
}

// They belong to the CPU kernels, which a binary need not be linked against.
type Start = unsafe extern "C" fn(*mut sys::ggml_threadpool_params) -> *mut sys::ggml_threadpool;
type Free = unsafe extern "C" fn(*mut sys::ggml_threadpool);

// SAFETY: the pool is a handle that ggml guards with its own locks; it is not bound to the thread that made it.
unsafe impl Send for ThreadPool {}

impl ThreadPool {
    /// Starts the workers; `None` when the system refuses them.
    pub(super) fn new(threads: NonZeroU32) -> Option<Self> {
        let threads = i32::try_from(threads.get()).ok()?;
        // SAFETY: pure function that fills a plain struct.
        let mut params = unsafe { sys::ggml_threadpool_params_default(threads) };
        let (_, start) = kernels::symbol(c"ggml_threadpool_new")?;
        let (_, free) = kernels::symbol(c"ggml_threadpool_free")?;
        // SAFETY: these are the types that ggml-cpu.h gives the functions of these names.
        let (start, free) = unsafe {
            (
                std::mem::transmute::<*mut c_void, Start>(start),
                std::mem::transmute::<*mut c_void, Free>(free),
            )
        };
        // SAFETY: `params` is valid for the call and copied by it.
        let pool = unsafe { start(&raw mut params) };
        NonNull::new(pool).map(|pool| Self { pool, free })
    }

    pub(super) fn as_ptr(&self) -> *mut sys::ggml_threadpool {
        self.pool.as_ptr()
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `ggml_threadpool_new` and is freed once.
        unsafe { (self.free)(self.pool.as_ptr()) };
    }
}
