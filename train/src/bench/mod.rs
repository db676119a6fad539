//! How fast the trainer is: whole optimizer steps on made-up tokens, alone or beside PyTorch.
//!
//! | module | holds |
//! |---|---|
//! | [`steps`] | our side: the steps and what they took |
//! | [`peer`] | both sides in turn, each in a process of its own, and their ratios |

pub mod peer;
pub mod steps;
