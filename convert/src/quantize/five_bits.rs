//! Where `Q5_0` and `Q5_1` keep 32 five-bit numbers: first four bytes whose bit `j` is the fifth bit of number `j`, then
//! 16 bytes whose low halves are the low bits of numbers 0 to 15 and whose high halves those of 16 to 31.

use super::BLOCK;

/// Bytes of 32 numbers.
const BYTES: usize = 4 + BLOCK / 2;

/// Stores numbers; bits above the fifth are dropped.
#[inline(always)]
pub(super) fn pack(levels: &[u8; BLOCK]) -> [u8; BYTES] {
    let mut fifth = 0_u32;
    for (at, level) in levels.iter().enumerate() {
        fifth |= u32::from(level >> 4 & 1) << at;
    }
    let mut stored = [0; BYTES];
    stored[..4].copy_from_slice(&fifth.to_le_bytes());
    for at in 0..BLOCK / 2 {
        stored[4 + at] = levels[at] & 15 | (levels[at + BLOCK / 2] & 15) << 4;
    }
    stored
}

/// Reads numbers.
#[inline(always)]
pub(super) fn unpack(stored: &[u8; BYTES]) -> [u8; BLOCK] {
    let fifth = u32::from_le_bytes([stored[0], stored[1], stored[2], stored[3]]);
    std::array::from_fn(|at| {
        let pair = stored[4 + at % (BLOCK / 2)];
        let low = if at < BLOCK / 2 { pair & 15 } else { pair >> 4 };
        low | ((fifth >> at & 1) as u8) << 4
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_in_every_place_reads_back() {
        for shift in 0..32 {
            let levels = std::array::from_fn(|at| ((at * 7 + shift) % 32) as u8);
            assert_eq!(unpack(&pack(&levels)), levels);
        }
    }
}
