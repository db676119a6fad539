//! Decoding constrained to what stands in the frame: low-level utterances to actions made of its names, the free
//! utterances of the other levels to its names, see `guard.rs`.
//!
//! # Definition
//!
//! A *name* is a word of lower-case letters followed by one space and a number of one to three digits, both delimited
//! by something that is neither letter nor digit: `egg 2`. A *range* `drawer 1 to 11` stands for the names of all its
//! numbers. For a low-level frame:
//!
//! - *receptacles* are the names in the scene;
//! - *objects* are the names in observation, progress and subtask that are not receptacles.
//!
//! The allowed utterances are the [`ActionTemplates`] with every `{receptacle}` replaced by a receptacle, `{object}` by
//! an object and `{any}` by either, each followed by `; True` or `; False`. Nothing else is consulted: no list of
//! admissible actions, no memory of earlier frames. Among allowed tokens the choice is the sampler's own (the argmax of
//! their logits when greedy), so an unconstrained greedy utterance that lies in the set is also the constrained one.
//!
//! The set is never listed. It is walked as a small automaton over tokens: for each template a chain of token tries
//! (words, names, flags), of which a few dozen positions are alive at once.

mod guard;
mod names;
mod pieces;
mod templates;
mod trie;
mod walk;

pub use self::templates::ActionTemplates;

pub(crate) use self::guard::NameGuard;
pub(crate) use self::walk::{Constraint, Walk};
