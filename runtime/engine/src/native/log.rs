//! llama.cpp's log lines: silent unless a sink is set, and the last error is kept for error messages.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::RwLock;

use llama_cpp_sys_2 as sys;

/// Severity of a native log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Details.
    Debug,
    /// What was loaded and allocated.
    Info,
    /// Something is odd.
    Warn,
    /// Something failed; the caller also gets an error.
    Error,
}

/// Receives native log lines. It may be called from any thread and must not panic (a panic ends the process).
pub type LogSink = fn(LogLevel, &str);

static SINK: RwLock<Option<LogSink>> = RwLock::new(None);

thread_local! {
    /// llama.cpp returns null and logs the reason, on the calling thread.
    static LAST_ERROR: RefCell<String> = const { RefCell::new(String::new()) };
    /// Lines of level info, while somebody on this thread listens.
    static HEARD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `call` and returns its result with the lines of level info that llama.cpp logged on this thread meanwhile: some
/// sizes it tells in no other way.
pub(super) fn listening<T>(call: impl FnOnce() -> T) -> (T, String) {
    HEARD.set(Some(String::new()));
    let result = call();
    (result, HEARD.take().unwrap_or_default())
}

/// Sends the native log lines of the whole process to `sink`; `None` silences them, which is the default.
pub fn set_log_sink(sink: Option<LogSink>) {
    *SINK
        .write()
        .unwrap_or_else(std::sync::PoisonError::into_inner) = sink;
}

/// Makes llama.cpp and ggml log through this module.
pub(super) fn install() {
    // SAFETY: `receive` lives as long as the program and ignores the null user data.
    unsafe { sys::llama_log_set(Some(receive), std::ptr::null_mut()) };
}

/// Runs `call` and returns its result with the errors that llama.cpp logged on this thread meanwhile.
pub(super) fn with_reason<T>(call: impl FnOnce() -> T) -> (T, String) {
    LAST_ERROR.with_borrow_mut(String::clear);
    let result = call();
    let reason = LAST_ERROR.with_borrow_mut(std::mem::take);
    let reason = reason.trim();
    let reason = if reason.is_empty() {
        "no reason given"
    } else {
        reason
    };
    (result, reason.to_owned())
}

/// Keeps error messages short when a hostile file makes llama.cpp print pages.
const LONGEST_REASON: usize = 500;

/// Bounds what a hostile file can make [`listening`] keep.
const MOST_HEARD: usize = 1 << 20;

unsafe extern "C" fn receive(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    if text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a NUL-terminated string that lives until this call returns.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let level = match level {
        sys::GGML_LOG_LEVEL_ERROR => LogLevel::Error,
        sys::GGML_LOG_LEVEL_WARN => LogLevel::Warn,
        sys::GGML_LOG_LEVEL_INFO => LogLevel::Info,
        // Continuations of lines whose level is unknown here count as details.
        _ => LogLevel::Debug,
    };
    if level == LogLevel::Error {
        LAST_ERROR.with_borrow_mut(|kept| {
            if kept.len() + text.len() <= LONGEST_REASON {
                kept.push_str(text.trim_end());
                kept.push_str("; ");
            }
        });
    }
    if level == LogLevel::Info {
        HEARD.with_borrow_mut(|heard| {
            if let Some(heard) = heard
                && heard.len() + text.len() <= MOST_HEARD
            {
                heard.push_str(&text);
            }
        });
    }
    let sink = *SINK
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(sink) = sink {
        sink(level, text.trim_end());
    }
}
