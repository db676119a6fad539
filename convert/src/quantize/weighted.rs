//! `Q4_0`, `Q4_1`, `Q5_0` and `Q5_1` under an importance matrix (`quantize_row_q4_0_impl` and its neighbours in
//! `ggml-quants.c`): the stored form is the same, but the scales are searched for.

use super::affine_block::WEIGHTED;
use super::five_bits;
use super::floats::scale;
use super::search::{Blocks, affine, centred, side_by_side};
use super::{BLOCK, RowError, out_of_range};
use crate::gguf::TensorType;

/// Blocks that are searched side by side.
const LANES: usize = 8;

/// Scale, minimum where the type has one, and levels of one block.
struct Fit {
    scale: f32,
    minimum: Option<f32>,
    levels: [u8; BLOCK],
}

/// Appends `row`.
#[inline(always)]
pub(super) fn encode(
    kind: TensorType,
    row: &[f32],
    importance: &[f32],
    out: &mut Vec<u8>,
) -> Result<(), RowError> {
    let squares = row.iter().fold(0.0, |sum, x| sum + x * x);
    let sigma2 = squares / row.len() as f32;
    let groups = row
        .chunks(LANES * BLOCK)
        .zip(importance.chunks(LANES * BLOCK));
    for (group, (weights, importance)) in groups.enumerate() {
        let blocks: Blocks<BLOCK, LANES> = side_by_side(weights);
        let mut weighing: Blocks<BLOCK, LANES> = side_by_side(importance);
        for (row, weights) in weighing.iter_mut().zip(&blocks) {
            for lane in 0..LANES {
                row[lane] *= (sigma2 + weights[lane] * weights[lane]).sqrt();
            }
        }
        let fits = match kind {
            TensorType::Q4_0 => around_zero(&blocks, &weighing, 8),
            TensorType::Q5_0 => around_zero(&blocks, &weighing, 16),
            TensorType::Q4_1 => above_minimum(&blocks, &weighing, 15),
            TensorType::Q5_1 => above_minimum(&blocks, &weighing, 31),
            other => return Err(RowError::Unsupported(other)),
        };
        for (lane, fit) in fits.iter().take(weights.len() / BLOCK).enumerate() {
            let start = (group * LANES + lane) * BLOCK;
            let refused = || out_of_range(row, start, BLOCK);
            out.extend(scale(fit.scale).ok_or_else(refused)?);
            if let Some(minimum) = fit.minimum {
                out.extend(scale(minimum).ok_or_else(refused)?);
            }
            if matches!(kind, TensorType::Q5_0 | TensorType::Q5_1) {
                out.extend(five_bits::pack(&fit.levels));
            } else {
                let half = BLOCK / 2;
                out.extend((0..half).map(|at| fit.levels[at] | fit.levels[at + half] << 4));
            }
        }
    }
    Ok(())
}

#[inline(always)]
fn around_zero(
    blocks: &Blocks<BLOCK, LANES>,
    weighing: &Blocks<BLOCK, LANES>,
    half: u8,
) -> [Fit; LANES] {
    let fit = centred(blocks, weighing, half);
    std::array::from_fn(|lane| Fit {
        scale: fit.scales[lane],
        minimum: None,
        levels: std::array::from_fn(|at| fit.level(lane, blocks[at][lane])),
    })
}

#[inline(always)]
fn above_minimum(
    blocks: &Blocks<BLOCK, LANES>,
    weighing: &Blocks<BLOCK, LANES>,
    most: u8,
) -> [Fit; LANES] {
    let fit = affine(blocks, weighing, most, WEIGHTED);
    std::array::from_fn(|lane| Fit {
        scale: fit.scales[lane],
        minimum: Some(-fit.minima[lane]),
        levels: std::array::from_fn(|at| fit.level(lane, blocks[at][lane])),
    })
}
