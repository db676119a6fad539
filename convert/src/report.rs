//! What a conversion wrote, and how far storing moved the weights.

use std::path::PathBuf;

use crate::gguf::TensorType;

/// One tensor of the output.
#[derive(Debug, Clone)]
pub struct TensorReport {
    /// Name in the GGUF.
    pub name: String,
    /// How it is stored.
    pub kind: TensorType,
    /// Number of weights.
    pub weights: u64,
    /// Bytes of its data.
    pub bytes: u64,
    /// How far storing moved the weights; `None` when nothing was written.
    pub deviation: Option<Deviation>,
}

/// How far stored weights are from those of the checkpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Deviation {
    /// The largest distance of a weight.
    pub largest: f32,
    /// Sum of squared distances.
    pub squared_error: f64,
    /// Sum of squared weights.
    pub squared_weights: f64,
}

impl Deviation {
    /// Of some weights and what was read for them.
    #[must_use]
    pub fn between(weights: &[f32], read: &[f32]) -> Self {
        // Eight sums side by side, since one would wait for itself at every weight.
        let mut parts = [Self::default(); 8];
        for (weights, read) in weights.chunks(8).zip(read.chunks(8)) {
            for ((part, &weight), &read) in parts.iter_mut().zip(weights).zip(read) {
                let distance = (weight - read).abs();
                part.largest = part.largest.max(distance);
                part.squared_error += f64::from(distance) * f64::from(distance);
                part.squared_weights += f64::from(weight) * f64::from(weight);
            }
        }
        let mut deviation = Self::default();
        parts.iter().for_each(|part| deviation.add(part));
        deviation
    }

    /// Root of the mean squared distance, relative to that of the weights.
    #[must_use]
    pub fn relative_rms(&self) -> f64 {
        if self.squared_weights == 0.0 {
            0.0
        } else {
            (self.squared_error / self.squared_weights).sqrt()
        }
    }

    /// Takes in the weights of another part.
    pub fn add(&mut self, other: &Self) {
        self.largest = self.largest.max(other.largest);
        self.squared_error += other.squared_error;
        self.squared_weights += other.squared_weights;
    }
}

/// What was, or would be, written.
#[derive(Debug, Clone)]
pub struct Report {
    /// All tensors in the order of the file.
    pub tensors: Vec<TensorReport>,
    /// Bytes of all files.
    pub file_bytes: u64,
    /// The file, or its shards in order.
    pub files: Vec<PathBuf>,
}
