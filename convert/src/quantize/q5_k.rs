//! `Q5_K`: 256 weights in 5.5 bits each (`quantize_q5_K` in `ggml-quants.c`): the head that `affine_block.rs` describes,
//! 32 bytes with the fifth bits (bit `p` of byte `j` for weight `j` of part `p`), and the low four bits as in `Q4_K`.

use super::affine_block::{self, HEAD, pack_halves, unpack_half};
use super::search::Steps;
use super::super_block::SUPER_BLOCK;

/// Bytes of a block.
pub const BYTES: usize = HEAD + FIFTH + SUPER_BLOCK / 2;
/// Bytes of the fifth bits.
const FIFTH: usize = SUPER_BLOCK / 8;

const STEPS: Steps = Steps {
    first: -0.5,
    step: 0.1,
    last: 15,
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
    let (head, levels) = affine_block::encode(block, importance, 31, STEPS)?;
    let mut stored = [0; BYTES];
    stored[..HEAD].copy_from_slice(&head);
    for at in 0..32 {
        for part in 0..8 {
            stored[HEAD + at] |= levels[32 * part + at] >> 4 << part;
        }
    }
    pack_halves(&levels, &mut stored[HEAD + FIFTH..]);
    Some(stored)
}

/// Reads a block.
#[must_use]
#[inline(always)]
pub fn decode(stored: &[u8; BYTES]) -> [f32; SUPER_BLOCK] {
    let (head, rest) = stored.split_first_chunk().unwrap_or((&[0; HEAD], &[]));
    let (fifth, halves) = rest.split_at(FIFTH);
    affine_block::decode(head, |at| {
        unpack_half(halves, at) | (fifth[at % 32] >> (at / 32) & 1) << 4
    })
}
