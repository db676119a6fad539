//! Whole conversions, refusals made by hand, and readers under random bytes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod architectures;
mod checks;
mod command_line;
mod container_refusals;
mod cross_check;
mod dequantize;
mod diff;
mod foreign_tokenizers;
mod importance;
mod lora;
mod more_architectures;
mod outputs;
mod reader_under_fire;
mod requantize;
mod round_trip;
mod several_files;
mod source_refusals;
mod support;
mod tokenizer_bounds;
mod tokenizer_refusals;
mod types;
