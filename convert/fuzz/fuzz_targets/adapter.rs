//! One input for `adapter::run`.
#![no_main]

mod quiet;

use stride_convert_fuzz::adapter;

libfuzzer_sys::fuzz_target!(init: quiet::init(), |bytes: &[u8]| quiet::run(adapter::run, bytes));
