//! One input for `checkpoint::run`.
#![no_main]

mod quiet;

use stride_convert_fuzz::checkpoint;

libfuzzer_sys::fuzz_target!(init: quiet::init(), |bytes: &[u8]| quiet::run(checkpoint::run, bytes));
