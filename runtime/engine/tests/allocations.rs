//! In steady state a call allocates nothing on our side but the text that it returns.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use stride_agent::policy::Policy as _;
use stride_engine::{BatchOptions, BatchPolicy, EngineOptions, LlamaPolicy};
use stride_firmware_config::frame::StepFrame;

/// The system's allocator, counting. llama.cpp allocates through C++, past it.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `alloc` or `realloc` above, so from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as for `dealloc`, and the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn counted<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let result = work();
    (result, ALLOCATIONS.load(Ordering::Relaxed) - before)
}

/// The frames of one step: progress, then low.
fn step(observation: &str) -> [StepFrame<'_>; 2] {
    let scene = "drawer 1 to 9, fridge 1";
    let (subtask, progress) = (
        "find and take egg",
        "At drawer 1, no egg. || [Checked: drawer 1]",
    );
    [
        StepFrame::Progress {
            scene,
            observation,
            subtask,
            progress,
            action: "open drawer 2",
        },
        StepFrame::Low {
            scene,
            observation,
            subtask,
            progress,
        },
    ]
}

const OBSERVATIONS: [&str; 3] = [
    "You open the drawer 2. In it, you see a pen 1, and a cd 2.",
    "You arrive at drawer 3. The drawer 3 is closed.",
    "You arrive at fridge 1. The fridge 1 is closed.",
];

fn options() -> EngineOptions {
    EngineOptions {
        context_tokens: NonZeroU32::new(512),
        ..EngineOptions::default()
    }
}

/// One test, since the count is of the whole process.
#[test]
fn steady_state_allocates_only_what_it_returns() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../models/stride-household-q8_0.gguf");
    let mut single = LlamaPolicy::load(&path, options()).unwrap();
    let mut round = || {
        for frame in OBSERVATIONS
            .iter()
            .flat_map(|observation| step(observation))
        {
            assert!(!single.utter(&frame).unwrap().text.is_empty());
        }
    };
    round();
    let ((), allocations) = counted(&mut round);
    assert_eq!(allocations, 2 * OBSERVATIONS.len(), "single engine");

    let options = BatchOptions {
        engine: options(),
        slots: NonZeroU32::new(2).unwrap(),
        ..BatchOptions::default()
    };
    let mut batch = BatchPolicy::load(&path, options).unwrap();
    let mut round = || {
        let mut answers = 0;
        for observation in OBSERVATIONS {
            for (agent, frame) in (0..).zip(step(observation)) {
                batch.submit(agent, 0, &frame).unwrap();
            }
            while batch.advance() {
                while let Some(answer) = batch.take_answer() {
                    assert!(!answer.outcome.unwrap().text.is_empty());
                    answers += 1;
                }
            }
        }
        answers
    };
    round();
    let (answers, allocations) = counted(&mut round);
    assert_eq!(allocations, answers, "batch engine");
}
