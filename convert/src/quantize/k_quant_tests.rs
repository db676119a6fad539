//! The k-quants on hand-made bytes, and how far they may move weights. That the bytes are ggml's stands in
//! `like_ggml.rs`.

use proptest::prelude::*;

use super::{SUPER_BLOCK, decode_row, encode_row, encode_row_under, q2_k, q3_k, q4_k, q5_k, q6_k};
use crate::gguf::TensorType;

const KINDS: [TensorType; 5] = [
    TensorType::Q2_K,
    TensorType::Q3_K,
    TensorType::Q4_K,
    TensorType::Q5_K,
    TensorType::Q6_K,
];

/// Binary16 1 and 0.5.
const ONE: [u8; 2] = [0x00, 0x3c];
const HALF: [u8; 2] = [0x00, 0x38];

#[test]
fn blocks_have_the_size_of_the_type() {
    let sizes = [
        q2_k::BYTES,
        q3_k::BYTES,
        q4_k::BYTES,
        q5_k::BYTES,
        q6_k::BYTES,
    ];
    assert_eq!(KINDS.map(|kind| kind.block_bytes() as usize), sizes);
    assert!(
        KINDS
            .iter()
            .all(|kind| kind.block_len() as usize == SUPER_BLOCK)
    );
}

#[test]
fn q2_k_reads_as_the_layout_says() {
    let mut stored = [0; q2_k::BYTES];
    // Part 9 (weights 144 to 159): scale 3, minimum 2. Weight 145 is level 2: byte 32 + 17 of the levels, first pair.
    stored[9] = 0x23;
    stored[16 + 32 + 17] = 2;
    stored[80..82].copy_from_slice(&ONE);
    stored[82..84].copy_from_slice(&HALF);
    let read = q2_k::decode(&stored);
    assert_eq!((read[144], read[145], read[160]), (-1.0, 5.0, 0.0));
}

#[test]
fn q3_k_reads_as_the_layout_says() {
    let mut stored = [0; q3_k::BYTES];
    // Part 13 (weights 208 to 223): scale 35 - 32 = 3, low half 3 in the upper half of byte 5, upper bits 2 in the last
    // pair of byte 8 + 1. Weight 210 is level 4 + 1: third bit 6 of byte 18, low bits in byte 32 + 18, third pair.
    stored[18] = 1 << 6;
    stored[32 + 32 + 18] = 1 << 4;
    stored[96 + 5] = 0x30;
    stored[96 + 9] = 2 << 6;
    stored[108..].copy_from_slice(&HALF);
    let read = q3_k::decode(&stored);
    assert_eq!((read[208], read[210]), (-6.0, 1.5));
    // A scale of zero is -32.
    assert_eq!(read[0], 64.0);
}

#[test]
fn q4_k_and_q5_k_read_as_the_layout_says() {
    let mut stored = [0; q5_k::BYTES];
    stored[..2].copy_from_slice(&ONE);
    stored[2..4].copy_from_slice(&HALF);
    // Part 6: scale 63 (low half in byte 10, upper bits in byte 2), minimum 17 (byte 10, byte 6).
    stored[4 + 10] = 0x1f;
    stored[4 + 2] = 3 << 6;
    stored[4 + 6] = 1 << 6;
    // Weight 195 is number 3 of part 6: low half of byte 96 + 3.
    let mut four = [0; q4_k::BYTES];
    four[..16].copy_from_slice(&stored[..16]);
    four[16 + 99] = 0xf2;
    let read = q4_k::decode(&four);
    assert_eq!((read[194], read[195]), (-8.5, 126.0 - 8.5));
    // Part 7 has neither scale nor minimum, so its fifteen counts for nothing.
    assert_eq!(read[227], 0.0);
    stored[16 + 3] = 1 << 6;
    stored[48 + 99] = 0xf2;
    let read = q5_k::decode(&stored);
    assert_eq!((read[194], read[195]), (-8.5, 18.0 * 63.0 - 8.5));
}

#[test]
fn q6_k_reads_as_the_layout_says() {
    let mut stored = [0; q6_k::BYTES];
    // Part 12 (weights 192 to 207): scale -2. Weight 193 is level 35: low bits in the upper half of byte 64 + 1, upper
    // bits 2 in byte 32 + 1, third pair.
    stored[64 + 1] = 3 << 4;
    stored[128 + 32 + 1] = 2 << 4;
    stored[192 + 12] = (-2_i8).cast_unsigned();
    stored[208..].copy_from_slice(&HALF);
    let read = q6_k::decode(&stored);
    assert_eq!((read[192], read[193]), (32.0, -3.0));
}

#[test]
fn zeros_stay_zeros_and_what_is_too_large_is_refused() {
    for kind in KINDS {
        let mut stored = Vec::new();
        encode_row(kind, &[0.0; 2 * SUPER_BLOCK], &mut stored).unwrap();
        let mut read = Vec::new();
        decode_row(kind, &stored, &mut read).unwrap();
        assert!(read.iter().all(|x| *x == 0.0), "{kind}");
        let mut row = [1.0; 2 * SUPER_BLOCK];
        row[300] = -3.0e8;
        let refused = encode_row(kind, &row, &mut stored).unwrap_err().to_string();
        assert!(
            refused.contains("weight 300") && refused.contains("16-bit"),
            "{refused}"
        );
    }
}

/// How far a weight may move, in units of the range of the block, zero included: two steps of the finest level (the
/// search may cut what is beyond the last level), and half a step of the part's own scale and minimum over all levels.
fn bound(kind: TensorType) -> f32 {
    match kind {
        TensorType::Q2_K => 2.0 / 3.0 + 1.0 / 15.0,
        TensorType::Q3_K => 2.0 / 4.0 + 0.5 / 31.0,
        TensorType::Q4_K => 2.0 / 15.0 + 1.0 / 63.0,
        TensorType::Q5_K => 2.0 / 31.0 + 1.0 / 63.0,
        _ => 2.0 / 32.0 + 0.5 / 127.0,
    }
}

proptest! {
    #[test]
    fn the_error_is_bounded(
        weights in prop::collection::vec(-1.0e3_f32..1.0e3, SUPER_BLOCK),
        importance in prop::collection::vec(0.5_f32..2.0, SUPER_BLOCK),
        weigh: bool,
    ) {
        let (low, high) = weights.iter().fold((0.0_f32, 0.0_f32), |(low, high), x| (low.min(*x), high.max(*x)));
        for kind in KINDS {
            let mut stored = Vec::new();
            encode_row_under(kind, &weights, weigh.then_some(importance.as_slice()), &mut stored).unwrap();
            let mut read = Vec::new();
            decode_row(kind, &stored, &mut read).unwrap();
            for (x, y) in weights.iter().zip(read) {
                prop_assert!((x - y).abs() <= bound(kind) * (high - low), "{kind}: {x} {y}");
            }
        }
    }
}

#[test]
fn importance_makes_the_columns_that_matter_lose_less() {
    // Every fourth column counts a hundred times.
    let importance: Vec<f32> = (0..SUPER_BLOCK)
        .map(|at| if at % 4 == 1 { 100.0 } else { 1.0 })
        .collect();
    let kinds = [
        TensorType::Q4_0,
        TensorType::Q4_1,
        TensorType::Q5_0,
        TensorType::Q5_1,
    ];
    for kind in KINDS.into_iter().chain(kinds) {
        let loss = |importance: Option<&[f32]>| -> f32 {
            let row = |row: usize| -> Vec<f32> {
                let weight = |at: usize| ((row * SUPER_BLOCK + at) as f32 * 12.9898).sin();
                (0..SUPER_BLOCK).map(weight).collect()
            };
            let rows = (0..16).map(row);
            let lost = rows.map(|weights| {
                let mut stored = Vec::new();
                encode_row_under(kind, &weights, importance, &mut stored).unwrap();
                let mut read = Vec::new();
                decode_row(kind, &stored, &mut read).unwrap();
                let matters = (1..SUPER_BLOCK).step_by(4);
                matters
                    .map(|at| (weights[at] - read[at]).powi(2))
                    .sum::<f32>()
            });
            lost.sum()
        };
        let (with, without) = (loss(Some(&importance)), loss(None));
        assert!(with < 0.95 * without, "{kind}: {with} {without}");
    }
}
