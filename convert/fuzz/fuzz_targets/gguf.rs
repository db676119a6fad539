//! One input for `gguf::run`.
#![no_main]

mod quiet;

use stride_convert_fuzz::gguf;

libfuzzer_sys::fuzz_target!(init: quiet::init(), |bytes: &[u8]| quiet::run(gguf::run, bytes));
