//! `Q4_K`: 256 weights in 4.5 bits each (`quantize_q4_K` in `ggml-quants.c`): the head that `affine_block.rs` describes,
//! then 128 bytes, 32 for two parts each: low halves for the first of the two, high halves for the second.

use super::affine_block::{self, HEAD, pack_halves, unpack_half};
use super::search::Steps;
use super::super_block::SUPER_BLOCK;

/// Bytes of a block.
pub const BYTES: usize = HEAD + SUPER_BLOCK / 2;

const STEPS: Steps = Steps {
    first: -1.0,
    step: 0.1,
    last: 20,
    absolute: false,
    cut_first: false,
};

/// Stores a block, or `None` when a scale is beyond binary16.
#[must_use]
#[inline(always)]
pub fn encode(
    block: &[f32; SUPER_BLOCK],
    importance: Option<&[f32; SUPER_BLOCK]>,
) -> Option<[u8; BYTES]> {
    let (head, levels) = affine_block::encode(block, importance, 15, STEPS)?;
    let mut stored = [0; BYTES];
    stored[..HEAD].copy_from_slice(&head);
    pack_halves(&levels, &mut stored[HEAD..]);
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; SUPER_BLOCK] {
    let (head, halves) = stored.split_first_chunk().unwrap_or((&[0; HEAD], &[]));
    affine_block::decode(head, |at| unpack_half(halves, at))
}
