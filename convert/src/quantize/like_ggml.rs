//! Stored bytes and read weights against ggml's own.
//!
//! The digests were made by ggml's C code (`ggml_quantize_chunk` and `to_float` of the llama.cpp inside llama-cpp-sys-2
//! 0.1.160, built without a processor flag as `ggml-base` always is) from the same weights: stored bytes, then the
//! weights they read as.

use super::{decode_row, encode_row_under};
use crate::fixtures::Numbers;
use crate::gguf::TensorType;

/// Weights of a row.
const COLUMNS: usize = 2048;
/// Weights in all.
const WEIGHTS: usize = 65_536;

/// What the reference program was given.
struct Input {
    /// Blocks of 32 over 21 powers of two.
    smooth: Vec<f32>,
    /// A number for every weight, over five powers of two; every 37th is zero.
    importance: Vec<f32>,
    /// Blocks that are zero, whole numbers, of one sign, mostly zero, almost constant, or have one large weight.
    awkward: Vec<f32>,
}

impl Input {
    fn new() -> Self {
        // The reference program has the same numbers.
        let mut numbers = Numbers(7);
        let power = |exponent: usize| 2.0_f32.powi(exponent as i32);
        let smooth = |at: usize| numbers.next() * power(at / 32 % 21) / power(14);
        let smooth = (0..WEIGHTS).map(smooth).collect();
        let weigh = |at: usize| {
            let number = numbers.next();
            let weigh = number * number * power(at / 16 % 5);
            if at.is_multiple_of(37) { 0.0 } else { weigh }
        };
        let importance = (0..WEIGHTS).map(weigh).collect();
        let awkward = |at: usize| {
            let number = numbers.next();
            match at / 256 % 8 {
                0 => 0.0,
                1 => (number * 3.0).trunc() + 0.0,
                2 => number.abs(),
                3 => -number.abs(),
                4 if at % 16 < 3 => number,
                4 => 0.0,
                5 if (at / 16).is_multiple_of(3) => 0.0,
                5 => number * 1e-4,
                6 => 1.0 + number * 1e-7,
                _ if at % 256 == 17 => 100.0 * number,
                _ => number * 0.01,
            }
        };
        let awkward = (0..WEIGHTS).map(awkward).collect();
        Self {
            smooth,
            importance,
            awkward,
        }
    }
}

/// FNV-1a.
fn digest(bytes: impl IntoIterator<Item = u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn assert_like_ggml(
    weights: &[f32],
    importance: Option<&[f32]>,
    expected: &[(TensorType, u64, u64)],
) {
    for &(kind, stored, read) in expected {
        let mut bytes = Vec::new();
        for (row, weights) in weights.chunks(COLUMNS).enumerate() {
            let importance =
                importance.map(|importance| &importance[row * COLUMNS..(row + 1) * COLUMNS]);
            encode_row_under(kind, weights, importance, &mut bytes).unwrap();
        }
        assert_eq!(digest(bytes.iter().copied()), stored, "{kind}, stored");
        let mut back = Vec::new();
        decode_row(kind, &bytes, &mut back).unwrap();
        let back = back.iter().flat_map(|weight| weight.to_le_bytes());
        assert_eq!(digest(back), read, "{kind}, read");
    }
}

#[rustfmt::skip]
const SMOOTH: &[(TensorType, u64, u64)] = &[
    (TensorType::F16, 0x3d42_bd37_6982_b636, 0x6201_e8c5_d2d9_a3ad),
    (TensorType::BF16, 0x9199_2ba4_f79c_2932, 0xa6ed_6859_6675_47a2),
    (TensorType::Q8_0, 0x54d2_364c_a835_b9d5, 0x9297_be58_6194_1b7a),
    (TensorType::Q5_1, 0x457d_62d0_0962_9063, 0x9c9c_9239_1ce3_2981),
    (TensorType::Q5_0, 0xab63_fd5f_1731_df94, 0x670b_d334_8b7a_d2c5),
    (TensorType::Q4_1, 0x6749_0c97_ff8b_de3d, 0x59f1_8c81_3129_21d5),
    (TensorType::Q4_0, 0xbb08_dd72_ad73_02e1, 0x0c44_3410_c37e_a6ca),
    (TensorType::Q6_K, 0xff92_2456_a135_72d1, 0x6b62_12c2_e0dd_73e0),
    (TensorType::Q5_K, 0xfa18_d26a_e473_6f89, 0x2b14_2740_f21c_0ce1),
    (TensorType::Q4_K, 0xbd45_6a20_9b59_322f, 0x5754_07af_b035_785f),
    (TensorType::Q3_K, 0x4264_0e94_75d8_fa0c, 0x638e_ac18_dd72_61f5),
    (TensorType::Q2_K, 0xfce1_541b_173b_7fe4, 0x298d_8557_a118_bbb6),
];

#[test]
fn smooth_weights() {
    let input = Input::new();
    assert_like_ggml(&input.smooth, None, SMOOTH);
}

#[rustfmt::skip]
const SMOOTH_WEIGHED: &[(TensorType, u64, u64)] = &[
    (TensorType::Q8_0, 0x54d2_364c_a835_b9d5, 0x9297_be58_6194_1b7a),
    (TensorType::Q5_1, 0xfff0_82db_5096_872d, 0x8909_8271_184b_00a8),
    (TensorType::Q5_0, 0x614e_f47a_7dfd_7569, 0xefe7_9315_be1a_e0eb),
    (TensorType::Q4_1, 0xed9b_1f5f_ed8c_80e1, 0xc5bc_6499_68f5_4614),
    (TensorType::Q4_0, 0x14e0_8107_863d_8cd4, 0xbae1_e3ef_c48d_9170),
    (TensorType::Q6_K, 0x49fa_6668_54b7_33d0, 0x16a5_9f53_fce0_c268),
    (TensorType::Q5_K, 0x3bae_6235_1efb_2396, 0xb4bd_110e_7105_3c15),
    (TensorType::Q4_K, 0x99a0_e719_4e12_17fc, 0x694a_3438_5e27_d7b3),
    (TensorType::Q3_K, 0x6261_2fa2_ea68_f4ab, 0x22bc_be2d_4fc0_f401),
    (TensorType::Q2_K, 0x933b_02e9_d1d1_844f, 0xe193_7de0_7da5_88e2),
];

#[test]
fn smooth_weights_under_importance() {
    let input = Input::new();
    assert_like_ggml(&input.smooth, Some(&input.importance), SMOOTH_WEIGHED);
}

#[rustfmt::skip]
const AWKWARD: &[(TensorType, u64, u64)] = &[
    (TensorType::F16, 0x005d_6392_3159_d113, 0x450d_b353_06c1_9466),
    (TensorType::BF16, 0xa464_e773_b8d9_6f98, 0x9241_fee9_e4b2_7850),
    (TensorType::Q8_0, 0x913e_10b2_ea54_d786, 0x49ca_95ee_0edf_b8ca),
    (TensorType::Q5_1, 0xb3c0_8d89_1c41_9579, 0xdf17_070c_4f19_4891),
    (TensorType::Q5_0, 0xd1d1_7612_7e12_37ea, 0x6a64_dc15_c7bb_e4af),
    (TensorType::Q4_1, 0xba89_319d_1bd1_bd76, 0x49a8_8e97_094b_9f9d),
    (TensorType::Q4_0, 0x06fe_4963_155a_10ac, 0x8481_4f98_36f2_e5f8),
    (TensorType::Q6_K, 0x39b7_c4d7_694c_b7fb, 0x719e_6116_c92a_45aa),
    (TensorType::Q5_K, 0x2dec_9fa5_8dd3_829b, 0xfc8b_81ae_37a5_fbc5),
    (TensorType::Q4_K, 0xb30f_7197_ae09_fa31, 0xb48d_3b54_2710_c5e2),
    (TensorType::Q3_K, 0x559a_e009_b933_7af9, 0x5870_d722_fa2e_f224),
    (TensorType::Q2_K, 0x6c84_c132_40a3_ecbc, 0xffd7_3a5f_c2a7_ca52),
];

#[test]
fn awkward_weights() {
    let input = Input::new();
    assert_like_ggml(&input.awkward, None, AWKWARD);
}

#[rustfmt::skip]
const AWKWARD_WEIGHED: &[(TensorType, u64, u64)] = &[
    (TensorType::Q8_0, 0x913e_10b2_ea54_d786, 0x49ca_95ee_0edf_b8ca),
    (TensorType::Q5_1, 0x785d_2b79_bd42_50d0, 0xba70_54cc_6d24_6926),
    (TensorType::Q5_0, 0x0cb3_bda5_fddb_1e40, 0x073a_26b1_8fab_220d),
    (TensorType::Q4_1, 0x8b0b_65a2_7290_d40c, 0xe725_43df_4827_b95b),
    (TensorType::Q4_0, 0x7b60_64af_75ac_e1b1, 0x31f0_b370_e7de_2e7a),
    (TensorType::Q6_K, 0x0ba5_e02a_4970_a0e2, 0xf181_a478_a0ab_cfe9),
    (TensorType::Q5_K, 0x037a_12df_a40c_85ce, 0x9360_b95c_c4d3_6c82),
    (TensorType::Q4_K, 0xaeab_d56c_e3de_4bb9, 0x6033_d466_14e2_2a90),
    (TensorType::Q3_K, 0x031a_a77b_c5da_9e82, 0xb574_5dad_aec0_1035),
    (TensorType::Q2_K, 0xfebe_5719_abca_b8e6, 0x0339_fb61_0070_77fe),
];

#[test]
fn awkward_weights_under_importance() {
    let input = Input::new();
    assert_like_ggml(&input.awkward, Some(&input.importance), AWKWARD_WEIGHED);
}
