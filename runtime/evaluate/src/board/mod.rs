//! What a policy takes on a board.
//!
//! | module | holds |
//! |---|---|
//! | [`fit`] | `stride-eval fit`: the engine's estimate against a profile's budget |
//! | [`calibrate`] | `stride-eval measure`: times by threads and batch, memory, and what to use |
//! | [`probe`] | kernels that may crash, tried in a child process |
//! | [`mod@file`] | the section of a profile's file that is written |

pub mod calibrate;
pub mod file;
pub mod fit;
pub mod probe;
