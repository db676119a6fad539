//! One input for `importance::run`.
#![no_main]

mod quiet;

use stride_convert_fuzz::importance;

libfuzzer_sys::fuzz_target!(init: quiet::init(), |bytes: &[u8]| quiet::run(importance::run, bytes));
