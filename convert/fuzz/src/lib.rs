//! What the fuzz targets do with an input. The same code replays the seeds in a normal test
//! (`convert/tests/fuzz_seeds`), which takes it in by path.
//!
//! A target panics where a reader does, where a promise of a reader is broken, and where it held more memory than
//! `docs/convert.md` allows ("Hostile files").

pub mod adapter;
pub mod allocations;
pub mod checkpoint;
pub mod gguf;
pub mod importance;
pub mod seeds;
