//! V and Q of one level, their losses (method section 7.4.1). Written over candle's tensors of any precision, so that the
//! gradients can be checked in f64.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var, WithDType};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::error::Result;

/// Sizes of a level's critics: networks of two hidden layers with ReLU, V first, then one or two Q.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriticShape {
    /// Elements of a feature vector.
    pub inputs: usize,
    /// Width of the hidden layers.
    pub hidden: usize,
    /// How many Q.
    pub actions: usize,
}

/// The weights of a level's critics as leaf tensors, matrix and bias of every layer by turns.
#[derive(Debug)]
pub struct Leaves(Vec<Tensor>);

impl Leaves {
    /// Copies flat weights.
    ///
    /// # Errors
    /// When candle cannot make the tensors.
    ///
    /// # Panics
    /// When there are fewer weights than the shape has.
    pub fn new<T: WithDType>(shape: &CriticShape, flat: &[T]) -> candle_core::Result<Self> {
        let mut leaves = Vec::new();
        let mut rest = flat;
        let mut leaf = |count: usize, dims: &[usize]| -> candle_core::Result<()> {
            let (part, behind) = rest.split_at(count);
            rest = behind;
            let tensor = Tensor::from_vec(part.to_vec(), dims, &Device::Cpu)?;
            leaves.push(Var::from_tensor(&tensor)?.into_inner());
            Ok(())
        };
        for _ in 0..=shape.actions {
            for (inputs, outputs) in shape.layers() {
                leaf(inputs * outputs, &[inputs, outputs])?;
                leaf(outputs, &[outputs])?;
            }
        }
        Ok(Self(leaves))
    }

    /// The gradient of the flat weights.
    ///
    /// # Errors
    /// When it is not of type `T`.
    pub fn gradient<T: WithDType>(&self, grads: &GradStore) -> candle_core::Result<Vec<T>> {
        let mut flat = Vec::new();
        for leaf in &self.0 {
            match grads.get(leaf) {
                Some(gradient) => flat.extend(gradient.flatten_all()?.to_vec1::<T>()?),
                None => flat.extend(std::iter::repeat_n(T::zero(), leaf.elem_count())),
            }
        }
        Ok(flat)
    }
}

/// Transitions of one level: rows x inputs, and vectors of rows.
#[derive(Debug)]
pub struct Batch {
    /// Features of `s`.
    pub state: Tensor,
    /// Features of `s` and `a`.
    pub action: Tensor,
    /// Features of `s'`; whatever, where there is none.
    pub next: Tensor,
    /// r.
    pub reward: Tensor,
    /// γ to the number of actions, and 0 where there is no `s'`.
    pub discount: Tensor,
}

/// What a step found; means over its batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Losses {
    /// Expectile loss of V.
    pub value: f64,
    /// Squared error of Q, the mean over the Qs.
    pub action: f64,
}

impl CriticShape {
    /// Weights of one network.
    #[must_use]
    pub const fn network(&self) -> usize {
        let (d, h) = (self.inputs, self.hidden);
        (d * h + h) + (h * h + h) + (h + 1)
    }

    /// Weights of all networks.
    #[must_use]
    pub const fn total(&self) -> usize {
        (1 + self.actions) * self.network()
    }

    /// Initial weights: uniform within one over the root of a layer's inputs.
    #[must_use]
    pub fn initialize(&self, seed: u64, level: u64) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed ^ 0xC217_1C5A_0000_0000);
        random.set_stream(level);
        let mut weights = Vec::with_capacity(self.total());
        for _ in 0..=self.actions {
            for (inputs, outputs) in self.layers() {
                let bound = 1.0 / (inputs as f32).sqrt();
                weights.extend(
                    (0..(inputs + 1) * outputs).map(|_| random.random_range(-bound..bound)),
                );
            }
        }
        weights
    }

    const fn layers(&self) -> [(usize, usize); 3] {
        [
            (self.inputs, self.hidden),
            (self.hidden, self.hidden),
            (self.hidden, 1),
        ]
    }

    /// What network `index` says about each row of `x`.
    fn apply(&self, weights: &Leaves, index: usize, x: &Tensor) -> candle_core::Result<Tensor> {
        let leaves = &weights.0[index * 6..(index + 1) * 6];
        let mut x = x.clone();
        for (layer, pair) in leaves.chunks_exact(2).enumerate() {
            x = x.matmul(&pair[0])?.broadcast_add(&pair[1])?;
            if layer < 2 {
                x = x.relu()?;
            }
        }
        x.squeeze(1)
    }

    /// V of states.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn value(&self, weights: &Leaves, state: &Tensor) -> candle_core::Result<Tensor> {
        self.apply(weights, 0, state)
    }

    /// Q of states and actions: the smallest of the Qs.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn action(&self, weights: &Leaves, action: &Tensor) -> candle_core::Result<Tensor> {
        let mut least = self.apply(weights, 1, action)?;
        for index in 1..self.actions {
            least = least.minimum(&self.apply(weights, 1 + index, action)?)?;
        }
        Ok(least)
    }

    /// The loss of V and Q together, and its parts. `target` are the target copies; nothing flows back into them.
    ///
    /// V approaches the `expectile` of the target's Q at the action's features; Q approaches r + discount · V(s').
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn loss(
        &self,
        weights: &Leaves,
        target: &Leaves,
        batch: &Batch,
        expectile: f64,
    ) -> candle_core::Result<(Tensor, Losses)> {
        let value = self.value(weights, &batch.state)?;
        let delta = (self.action(target, &batch.action)?.detach() - value)?;
        // |τ − 1[δ < 0]|: what turned out better than V counts τ, what turned out worse 1 − τ.
        let worse = delta.detach().lt(0.0)?.to_dtype(delta.dtype())?;
        let weight = (worse * (1.0 - 2.0 * expectile))?.affine(1.0, expectile)?;
        let value_loss = (weight * delta.sqr()?)?.mean_all()?;
        let next = self.value(weights, &batch.next)?.detach();
        let wanted = (&batch.reward + (&batch.discount * next)?)?;
        let mut action_loss = Tensor::zeros((), batch.reward.dtype(), &Device::Cpu)?;
        for index in 0..self.actions {
            let error = (self.apply(weights, 1 + index, &batch.action)? - &wanted)?;
            action_loss = (action_loss + error.sqr()?.mean_all()?)?;
        }
        let losses = Losses {
            value: scalar(&value_loss)?,
            action: scalar(&action_loss)? / self.actions as f64,
        };
        Ok(((value_loss + action_loss)?, losses))
    }
}

fn scalar(tensor: &Tensor) -> candle_core::Result<f64> {
    tensor.to_dtype(DType::F64)?.to_scalar()
}

/// Rows of vectors as a tensor.
///
/// # Errors
/// When they are no rectangle.
pub fn tensor(vectors: Vec<f32>, width: usize) -> Result<Tensor> {
    let rows = vectors.len() / width;
    Ok(Tensor::from_vec(vectors, (rows, width), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: CriticShape = CriticShape {
        inputs: 5,
        hidden: 6,
        actions: 2,
    };

    fn numbers(count: usize, salt: f64) -> Vec<f64> {
        (0..count)
            .map(|i| ((i as f64 + 1.0) * salt).sin())
            .collect()
    }

    fn batch(rows: usize) -> Batch {
        let matrix =
            |salt| Tensor::from_vec(numbers(rows * 5, salt), (rows, 5), &Device::Cpu).unwrap();
        let vector = |values: Vec<f64>| Tensor::new(values, &Device::Cpu).unwrap();
        Batch {
            state: matrix(0.7),
            action: matrix(1.3),
            next: matrix(2.1),
            reward: vector(numbers(rows, 0.9)),
            discount: vector(
                (0..rows)
                    .map(|i| if i % 3 == 0 { 0.0 } else { 0.9 })
                    .collect(),
            ),
        }
    }

    /// What must not be differentiated (the target copies, V(s') in the target of Q) stays while a weight is moved.
    #[test]
    fn gradients_agree_with_finite_differences() {
        let flat: Vec<f64> = SHAPE.initialize(3, 0).into_iter().map(f64::from).collect();
        let target = Leaves::new(&SHAPE, &numbers(SHAPE.total(), 0.37)).unwrap();
        let batch = batch(7);
        let leaves = Leaves::new(&SHAPE, &flat).unwrap();
        let (loss, _) = SHAPE.loss(&leaves, &target, &batch, 0.8).unwrap();
        let gradient: Vec<f64> = leaves.gradient(&loss.backward().unwrap()).unwrap();
        // The same loss by the formula, on plain numbers, with the stopped parts held fixed.
        let next: Vec<f64> = SHAPE
            .value(&leaves, &batch.next)
            .unwrap()
            .to_vec1()
            .unwrap();
        let q: Vec<f64> = SHAPE
            .action(&target, &batch.action)
            .unwrap()
            .to_vec1()
            .unwrap();
        let reward: Vec<f64> = batch.reward.to_vec1().unwrap();
        let discount: Vec<f64> = batch.discount.to_vec1().unwrap();
        let by_formula = |flat: &[f64]| -> f64 {
            let flat = Leaves::new(&SHAPE, flat).unwrap();
            let v: Vec<f64> = SHAPE.value(&flat, &batch.state).unwrap().to_vec1().unwrap();
            let mut sum = 0.0;
            for i in 0..7 {
                let delta = q[i] - v[i];
                sum += if delta < 0.0 { 0.2 } else { 0.8 } * delta * delta;
            }
            for index in 1..=2 {
                let q: Vec<f64> = SHAPE
                    .apply(&flat, index, &batch.action)
                    .unwrap()
                    .to_vec1()
                    .unwrap();
                for i in 0..7 {
                    sum += (q[i] - reward[i] - discount[i] * next[i]).powi(2);
                }
            }
            sum / 7.0
        };
        let value: f64 = loss.to_scalar().unwrap();
        assert!((value - by_formula(&flat)).abs() < 1e-12);
        let mut moving = 0;
        for at in 0..SHAPE.total() {
            let step = 1e-6;
            let moved = |by: f64| {
                let mut flat = flat.clone();
                flat[at] += by;
                by_formula(&flat)
            };
            let numeric = (moved(step) - moved(-step)) / (2.0 * step);
            assert!(
                (numeric - gradient[at]).abs() < 1e-7 * (1.0 + numeric.abs()),
                "weight {at}: {numeric} against {}",
                gradient[at]
            );
            moving += usize::from(numeric.abs() > 1e-6);
        }
        assert!(moving > SHAPE.total() / 2, "only {moving} weights matter");
    }

    #[test]
    fn the_smaller_q_counts() {
        let flat = Leaves::new(&SHAPE, &numbers(SHAPE.total(), 0.37)).unwrap();
        let x = batch(7).action;
        let one: Vec<f64> = SHAPE.apply(&flat, 1, &x).unwrap().to_vec1().unwrap();
        let two: Vec<f64> = SHAPE.apply(&flat, 2, &x).unwrap().to_vec1().unwrap();
        let both: Vec<f64> = SHAPE.action(&flat, &x).unwrap().to_vec1().unwrap();
        for i in 0..7 {
            assert_eq!(both[i], one[i].min(two[i]));
        }
    }
}
