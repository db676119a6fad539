//! Counts what a thread holds, and stops it at a bound.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Bytes that a thread may hold at once, whatever is measured: beyond, memory is refused and the program ends.
const MOST: usize = 1 << 30;

thread_local! {
    /// Negative in a thread that frees what another one took.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, counted.
pub struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Notes that `bytes` more are about to be held; false where that is too many.
fn take(bytes: usize) -> bool {
    let held = HELD.get().saturating_add_unsigned(bytes);
    if held > MOST as isize {
        return false;
    }
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
    true
}

fn give(bytes: usize) {
    HELD.set(HELD.get().saturating_sub_unsigned(bytes));
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting touches two cells of the
// thread, which need neither memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !take(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are held while one is copied into the other.
        if !take(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise is the same.
        let moved = unsafe { System.realloc(place, layout, size) };
        give(if moved.is_null() { size } else { layout.size() });
        moved
    }
}

/// Does `work`.
///
/// # Panics
///
/// When it held more than `most` bytes at once beyond what was held before.
pub fn within<T>(most: usize, what: &str, work: impl FnOnce() -> T) -> T {
    let before = HELD.get();
    PEAK.set(before);
    let done = work();
    let peak = PEAK.get() - before;
    assert!(
        peak <= most as isize,
        "{what} held {peak} bytes at once; {most} are allowed"
    );
    done
}
