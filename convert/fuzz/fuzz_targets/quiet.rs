//! Panics that a reader catches are no failures.
//!
//! `libfuzzer-sys` ends the program at every panic. The converter catches those of the crate `tokenizers` and refuses
//! the file, so here only a panic that leaves the target ends the program.

use std::cell::RefCell;
use std::panic::{catch_unwind, set_hook};

thread_local! {
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says instead of ending the program.
pub fn init() {
    set_hook(Box::new(|panic| {
        let text = format!("{panic}\n{}", std::backtrace::Backtrace::capture());
        LAST.with_borrow_mut(|last| *last = text);
    }));
}

/// Runs `target`; a panic that leaves it ends the program.
pub fn run(target: fn(&[u8]), bytes: &[u8]) {
    if catch_unwind(|| target(bytes)).is_err() {
        LAST.with_borrow(|last| eprintln!("{last}"));
        std::process::abort();
    }
}
