//! The arithmetic of a group of pairs: y += scale · B · A · x for every pair, and its gradient.

use std::sync::Arc;

use rand::RngCore as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::layout::{AdapterLayout, Group};
use crate::kernels::matrix::{Matrix, MatrixMut, add_product, product};
use crate::kernels::pool::{Buffer, Pool};
use crate::kernels::simd;

/// What is left out of the inputs of one piece of one step: a function of these numbers, so that a resumed run, and the
/// backward pass, leave out the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropout {
    /// The run's seed.
    pub seed: u64,
    /// The optimizer step.
    pub step: u64,
    /// The piece of the batch.
    pub piece: usize,
}

/// The pairs of one block.
#[derive(Debug, Clone)]
pub struct BlockAdapter {
    /// Where they lie.
    pub layout: Arc<AdapterLayout>,
    /// All trained weights.
    pub values: Arc<Vec<f32>>,
    /// The block.
    pub block: usize,
    /// What is left out; nothing without.
    pub dropout: Option<Dropout>,
}

impl BlockAdapter {
    fn group(&self, index: usize) -> (&Group, &[f32]) {
        let values = &self.values[self.layout.group(self.block, index)];
        (&self.layout.groups[index], values)
    }

    /// Adds what the pairs of a group make of `x` (rows x input) to `out` (rows x output), and returns what lies between A
    /// and B, which the gradient needs.
    pub fn add(&self, index: usize, x: &[f32], out: &mut [f32], pool: &Pool) -> Buffer {
        let (group, values) = self.group(index);
        let n = x.len() / group.input;
        let middle = group.middle();
        let mut between = pool.take(n * middle);
        if middle == 0 {
            return between;
        }
        let left_out = self.left_out(index, x, pool);
        product(
            MatrixMut::new(&mut between, n, middle),
            1.0,
            Matrix::new(left_out.as_deref().unwrap_or(x), n, group.input),
            Matrix::new(&values[group.down()], middle, group.input).t(),
        );
        for (pair, (part, up)) in group.ups().enumerate() {
            add_product(
                MatrixMut::strided(
                    &mut out[part.columns.start..],
                    n,
                    part.columns.len(),
                    group.output,
                ),
                self.layout.scale,
                Matrix::strided(&between[pair * group.rank..], n, group.rank, middle),
                Matrix::new(&values[up], part.columns.len(), group.rank).t(),
            );
        }
        between
    }

    /// Given the gradient of the group's result, that of what lies between A and B; `sum` is handed a function that adds the
    /// gradient of the group's weights.
    pub fn gradient(
        &self,
        index: usize,
        x: &[f32],
        between: &[f32],
        dout: &[f32],
        pool: &Pool,
        sum: impl FnOnce(&dyn Fn(&mut [f32])),
    ) -> Buffer {
        let (group, values) = self.group(index);
        let n = x.len() / group.input;
        let middle = group.middle();
        let mut dbetween = pool.take(n * middle);
        if middle == 0 {
            return dbetween;
        }
        let scale = self.layout.scale;
        let columns = |columns: &std::ops::Range<usize>| {
            Matrix::strided(&dout[columns.start..], n, columns.len(), group.output)
        };
        for (pair, (part, up)) in group.ups().enumerate() {
            product(
                MatrixMut::strided(&mut dbetween[pair * group.rank..], n, group.rank, middle),
                scale,
                columns(&part.columns),
                Matrix::new(&values[up], part.columns.len(), group.rank),
            );
        }
        let left_out = self.left_out(index, x, pool);
        let x = left_out.as_deref().unwrap_or(x);
        sum(&|sum| {
            add_product(
                MatrixMut::new(&mut sum[group.down()], middle, group.input),
                1.0,
                Matrix::new(&dbetween, n, middle).t(),
                Matrix::new(x, n, group.input),
            );
            for (pair, (part, up)) in group.ups().enumerate() {
                add_product(
                    MatrixMut::new(&mut sum[up], part.columns.len(), group.rank),
                    scale,
                    columns(&part.columns).t(),
                    Matrix::strided(&between[pair * group.rank..], n, group.rank, middle),
                );
            }
        });
        dbetween
    }

    /// Adds the gradient of the group's input to `dx`, given that of what lies between A and B.
    pub fn add_input_gradient(&self, index: usize, dbetween: &[f32], dx: &mut [f32], pool: &Pool) {
        let (group, values) = self.group(index);
        let n = dx.len() / group.input;
        let middle = group.middle();
        if middle == 0 {
            return;
        }
        let left = Matrix::new(dbetween, n, middle);
        let right = Matrix::new(&values[group.down()], middle, group.input);
        if self.mask(index).is_none() {
            add_product(MatrixMut::new(dx, n, group.input), 1.0, left, right);
            return;
        }
        let mut through = pool.take(n * group.input);
        product(
            MatrixMut::new(&mut through, n, group.input),
            1.0,
            left,
            right,
        );
        if let Some(mask) = self.mask(index) {
            mask.apply(&mut through);
        }
        simd::add(dx, &through);
    }

    /// The input with its left-out elements at zero and the others scaled up; `None` when nothing is left out.
    fn left_out(&self, index: usize, x: &[f32], pool: &Pool) -> Option<Buffer> {
        let mask = self.mask(index)?;
        let mut copy = pool.take(x.len());
        copy.copy_from_slice(x);
        mask.apply(&mut copy);
        Some(copy)
    }

    fn mask(&self, index: usize) -> Option<Mask> {
        let dropout = self.dropout.filter(|_| self.layout.dropout > 0.0)?;
        let mut random = ChaCha8Rng::seed_from_u64(dropout.seed ^ 0xD1B5_4A32_D192_ED03);
        // Room for 2^20 pieces, 2^12 blocks and the groups.
        let place = (dropout.piece as u64) << 14 | (self.block as u64) << 2 | index as u64;
        random.set_stream(dropout.step << 34 | place);
        Some(Mask {
            random,
            rate: self.layout.dropout,
        })
    }
}

struct Mask {
    random: ChaCha8Rng,
    rate: f32,
}

impl Mask {
    fn apply(mut self, values: &mut [f32]) {
        let limit = (f64::from(self.rate) * 2.0_f64.powi(32)) as u32;
        let kept = 1.0 / (1.0 - self.rate);
        for value in values {
            *value *= if self.random.next_u32() < limit {
                0.0
            } else {
                kept
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{LoraConfig, Target};
    use super::super::layout::GATE_UP;
    use super::*;
    use crate::model::shape::ModelShape;

    fn numbers(count: usize, salt: f64) -> Vec<f32> {
        (0..count)
            .map(|i| (((i as f64 + 0.9) * (salt + 0.61)).sin() * 0.8) as f32)
            .collect()
    }

    fn adapter(targets: &[Target]) -> BlockAdapter {
        let shape = ModelShape {
            hidden: 8,
            layers: 2,
            heads: 2,
            kv_heads: 1,
            ffn: 6,
            ..ModelShape::default()
        };
        let config = LoraConfig {
            r: 2,
            alpha: 3.0,
            dropout: 0.4,
            targets: targets.to_vec(),
        };
        let layout = AdapterLayout::new(&shape, &config, vec![1, 2]);
        BlockAdapter {
            values: Arc::new(numbers(layout.total(), 0.2)),
            layout: Arc::new(layout),
            block: 1,
            dropout: Some(Dropout {
                seed: 3,
                step: 11,
                piece: 2,
            }),
        }
    }

    /// y of the definition in f64: scale · B · (A · (x ∘ mask)), where the mask is what becomes of ones.
    fn exact(adapter: &BlockAdapter, mask: &[f32], x: &[f64], values: &[f64]) -> Vec<f64> {
        let group = &adapter.layout.groups[GATE_UP];
        let rows = x.len() / group.input;
        let mut out = vec![0.0; rows * group.output];
        for row in 0..rows {
            let mut downs = values[group.down()].chunks(group.rank * group.input);
            for (part, up) in group.ups() {
                let (down, up) = (downs.next().unwrap(), &values[up]);
                for (at, column) in part.columns.clone().enumerate() {
                    for r in 0..group.rank {
                        let between: f64 = (0..group.input)
                            .map(|i| {
                                let place = row * group.input + i;
                                down[r * group.input + i] * x[place] * f64::from(mask[place])
                            })
                            .sum();
                        out[row * group.output + column] +=
                            f64::from(adapter.layout.scale) * up[at * group.rank + r] * between;
                    }
                }
            }
        }
        out
    }

    /// With dropout, where the network has no reference: what is left out is read off, the rest is the definition.
    #[test]
    fn a_group_with_dropout_agrees_with_finite_differences() {
        const ROWS: usize = 5;
        const STEP: f64 = 1e-6;
        for targets in [&[Target::GateProj, Target::UpProj][..], &[Target::UpProj]] {
            let adapter = adapter(targets);
            let pool = Pool::default();
            let group = &adapter.layout.groups[GATE_UP];
            let ones = vec![1.0; ROWS * group.input];
            let mask = adapter.left_out(GATE_UP, &ones, &pool).unwrap().to_vec();
            let zeros = mask.iter().filter(|m| **m == 0.0).count();
            assert!((5..35).contains(&zeros), "{zeros} of 40 are left out");
            let x = numbers(ROWS * group.input, 0.5);
            let coefficients = numbers(ROWS * group.output, 0.7);
            let mut out = vec![0.0; ROWS * group.output];
            let between = adapter.add(GATE_UP, &x, &mut out, &pool);
            let values = &adapter.values[adapter.layout.group(1, GATE_UP)];
            let wide = |v: &[f32]| v.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let (wide_x, wide_values) = (wide(&x), wide(values));
            for (a, b) in out
                .iter()
                .zip(exact(&adapter, &mask, &wide_x, &wide_values))
            {
                assert!((f64::from(*a) - b).abs() < 1e-5, "{a} against {b}");
            }
            let mut sum = vec![0.0; group.range.len()];
            let dbetween = adapter.gradient(GATE_UP, &x, &between, &coefficients, &pool, |add| {
                add(&mut sum)
            });
            let mut dx = vec![0.0; x.len()];
            adapter.add_input_gradient(GATE_UP, &dbetween, &mut dx, &pool);
            let value = |x: &[f64], values: &[f64]| -> f64 {
                let out = exact(&adapter, &mask, x, values);
                let products = out.iter().zip(&coefficients);
                products.map(|(o, c)| o * f64::from(*c)).sum()
            };
            let agree = |found: &[f32], at: &[f64], value: &dyn Fn(&[f64]) -> f64| {
                for (i, found) in found.iter().enumerate() {
                    let moved = |by: f64| {
                        let mut moved = at.to_vec();
                        moved[i] += by;
                        value(&moved)
                    };
                    let numeric = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                    assert!(
                        (f64::from(*found) - numeric).abs() < 1e-5,
                        "{i}: {found} {numeric}"
                    );
                }
            };
            agree(&sum, &wide_values, &|v| value(&wide_x, v));
            agree(&dx, &wide_x, &|x| value(x, &wide_values));
        }
    }
}
