//! Panics that a reader catches are no failures.
//!
//! `libfuzzer-sys` ends the program at every panic. The converter catches those of the crate `tokenizers` and refuses
//! the file, so here only a panic that leaves the target ends the program.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::panic::{catch_unwind, set_hook};

thread_local! {
    static LAST: RefCell<Option<(String, Backtrace)>> = const { RefCell::new(None) };
}

/// Keeps what a panic says instead of ending the program.
pub fn init() {
    set_hook(Box::new(|panic| {
        // Names are looked up when the trace is printed: most panics are caught, and looking up takes milliseconds.
        let trace = Backtrace::force_capture();
        LAST.with_borrow_mut(|last| *last = Some((panic.to_string(), trace)));
    }));
}

/// What the main thread has on Linux.
const STACK_BYTES: usize = 8 << 20;

/// Runs `target`, in a thread of its own; a panic that leaves it ends the program.
///
/// The crate `tokenizers` keeps words in a table of the thread, and a tokenizer that is gone leaves its words there: in one
/// thread a minute of inputs holds a gibibyte. With the thread goes the table.
pub fn run(target: fn(&[u8]), bytes: &[u8]) {
    let work = || {
        if catch_unwind(|| target(bytes)).is_err() {
            if let Some((panic, trace)) = LAST.take() {
                eprintln!("{panic}\n{trace}");
            }
            std::process::abort();
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let started = thread.spawn_scoped(scope, work);
        // The scope waits for it.
        started.expect("a thread can be had");
    });
}
