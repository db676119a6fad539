//! The product of activations and a matrix that stands row by row: a dot product for every pair of rows.
//!
//! Sums run over eight lanes in a fixed order and without fused multiply-add, so the result is the same, bit for bit, on
//! every processor and any number of threads: what the gate records in a file may not depend on the machine.

use rayon::prelude::*;

/// Lanes of a sum.
const LANES: usize = 8;
/// Rows of activations that a thread takes through all rows of the matrix.
const BLOCK: usize = 32;
/// Rows of the matrix, and of activations, whose products are summed at the same time.
const WIDE: usize = 4;
const HIGH: usize = 2;

/// Writes, for every row of `input` (`columns` values), its products with all rows of `weights` to the columns from
/// `first` on of the same row of `out` (`width` values).
pub(super) fn product(
    input: &[f32],
    weights: &[f32],
    columns: usize,
    (out, width, first): (&mut [f32], usize, usize),
) {
    out.par_chunks_mut(BLOCK * width)
        .zip(input.par_chunks(BLOCK * columns))
        .for_each(|(out, input)| {
            let mut next = first;
            for weights in weights.chunks(WIDE * columns) {
                for (out, input) in out
                    .chunks_mut(HIGH * width)
                    .zip(input.chunks(HIGH * columns))
                {
                    let sums = dispatch(pick(input, columns), pick(weights, columns));
                    let rows = out.chunks_exact_mut(width).zip(&sums);
                    for (out, sums) in rows {
                        let wide = weights.len() / columns;
                        out[next..next + wide].copy_from_slice(&sums[..wide]);
                    }
                }
                next += WIDE;
            }
        });
}

/// The rows of a piece; where it has fewer than `N`, the first stands for the others, whose sums nobody reads.
fn pick<const N: usize>(piece: &[f32], columns: usize) -> [&[f32]; N] {
    let count = piece.len() / columns;
    std::array::from_fn(|at| {
        let at = if at < count { at } else { 0 };
        &piece[at * columns..(at + 1) * columns]
    })
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "a function for certain processors")]
fn dispatch(input: [&[f32]; HIGH], weights: [&[f32]; WIDE]) -> [[f32; WIDE]; HIGH] {
    #[target_feature(enable = "avx2")]
    fn wide(input: [&[f32]; HIGH], weights: [&[f32]; WIDE]) -> [[f32; WIDE]; HIGH] {
        sums(input, weights)
    }
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        unsafe { wide(input, weights) }
    } else {
        sums(input, weights)
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn dispatch(input: [&[f32]; HIGH], weights: [&[f32]; WIDE]) -> [[f32; WIDE]; HIGH] {
    sums(input, weights)
}

/// Written so that a compiler keeps every sum in registers.
#[inline(always)]
fn sums(input: [&[f32]; HIGH], weights: [&[f32]; WIDE]) -> [[f32; WIDE]; HIGH] {
    let count = input[0].len() / LANES;
    let x = input.map(|row| &row.as_chunks::<LANES>().0[..count]);
    let w = weights.map(|row| &row.as_chunks::<LANES>().0[..count]);
    let mut lanes = [[[0.0_f32; LANES]; WIDE]; HIGH];
    for at in 0..count {
        for high in 0..HIGH {
            for wide in 0..WIDE {
                for lane in 0..LANES {
                    lanes[high][wide][lane] += x[high][at][lane] * w[wide][at][lane];
                }
            }
        }
    }
    let rest = count * LANES..input[0].len();
    std::array::from_fn(|high| {
        std::array::from_fn(|wide| {
            let products = input[high][rest.clone()]
                .iter()
                .zip(&weights[wide][rest.clone()]);
            let rest: f32 = products.map(|(x, w)| x * w).sum();
            lanes[high][wide].iter().sum::<f32>() + rest
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole numbers, whose sums are exact in any order.
    fn numbers(count: usize, seed: usize) -> Vec<f32> {
        (0..count)
            .map(|at| ((at * 31 + seed) % 17) as f32 - 8.0)
            .collect()
    }

    #[test]
    fn every_shape_is_what_the_definition_says() {
        for (rows, outs, columns) in [(1, 1, 1), (3, 5, 7), (67, 9, 40), (2, 4, 8), (33, 6, 129)] {
            let (input, weights) = (numbers(rows * columns, 1), numbers(outs * columns, 5));
            let width = outs + 3;
            let mut out = vec![-1.0; rows * width];
            product(&input, &weights, columns, (&mut out, width, 2));
            for row in 0..rows {
                for column in 0..width {
                    let expected = match column.checked_sub(2).filter(|&at| at < outs) {
                        None => -1.0,
                        Some(at) => (0..columns)
                            .map(|k| input[row * columns + k] * weights[at * columns + k])
                            .sum(),
                    };
                    assert_eq!(
                        out[row * width + column],
                        expected,
                        "{rows} {outs} {columns}"
                    );
                }
            }
        }
    }

    #[test]
    fn processors_agree_to_the_bit() {
        let input: Vec<f32> = numbers(2 * 77, 3).iter().map(|x| x / 7.0).collect();
        let weights: Vec<f32> = numbers(4 * 77, 9).iter().map(|x| x / 13.0).collect();
        let (input, weights) = (pick(&input, 77), pick(&weights, 77));
        assert_eq!(dispatch(input, weights), sums(input, weights));
    }
}
