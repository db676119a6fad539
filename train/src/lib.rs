//! Training of Stride's policies.
//!
//! | module | holds |
//! |---|---|
//! | [`data`] | transition files, the held-out split |
//! | [`augment`] | renumbering of a sample's objects |
//! | [`tokenizer`] | training of the vocabulary |
//! | [`tokens`] | frames and utterances as tokens, the one place where the prompt layout meets the vocabulary |
//! | [`model`] | the network, its gradient and its inference, in candle |
//! | [`kernels`] | the arithmetic below it |
//! | [`optimizer`] | AdamW and the learning-rate schedule |
//! | [`bc`] | behaviour cloning |
//! | [`checkpoint`] | checkpoint folders in Hugging Face form |
//! | [`policy`] | a checkpoint behind the agent's `Policy` trait |
#![deny(unsafe_op_in_unsafe_fn)]

pub mod augment;
pub mod bc;
pub mod checkpoint;
pub mod data;
pub mod error;
pub mod files;
pub mod kernels;
pub mod model;
pub mod optimizer;
pub mod parallel;
pub mod policy;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokenizer;
pub mod tokens;

#[cfg(test)]
mod speed {
    use crate::model::{network::Network, packed::*, parameters::*, shape::*};
    use crate::tokens::Sample;
    use std::sync::Arc;
    #[test]
    #[ignore]
    fn speed() {
        let _ = crate::error::TrainError::checkpoint(std::path::Path::new("x"), "y");
        let micro: usize = std::env::var("MICRO").ok().map_or(16, |v| v.parse().unwrap());
        let threads: usize = std::env::var("T").ok().map_or(1, |v| v.parse().unwrap());
        let layout = ParameterLayout::new(&ModelShape::default(), 1536);
        let flat = layout.initialize(1);
        let net = Network::new(layout.clone());
        let w = net.weights(&flat).unwrap();
        let samples: Vec<Sample> = (0..micro).map(|i| Sample { level: stride_firmware_config::level::PolicyLevel::Low, tokens: (0..100 + (i * 7 % 25)).map(|t| ((t * 31 + i * 17) % 1536) as u32).collect(), frame_len: 90 }).collect();
        let batch = Arc::new(PackedBatch::new(&samples, &LossWeights { frame: 0.1, levels: [1.0; 3] }));
        let reps = 40960 / batch.len();
        let t0 = std::time::Instant::now();
        std::thread::scope(|s| {
            for _ in 0..threads {
                s.spawn(|| {
                    let mut g = vec![0.0; layout.total()];
                    for _ in 0..reps { net.add_gradient(&w, &batch, 1.0, &mut g).unwrap(); }
                });
            }
        });
        let dt = t0.elapsed().as_secs_f64();
        eprintln!("params {} micro {} tokens: {:.0} tok/s", layout.total(), batch.len(), (threads * reps * batch.len()) as f64 / dt);
        let t0 = std::time::Instant::now();
        for _ in 0..reps { net.likelihoods(&w, &batch).unwrap(); }
        eprintln!("forward only: {:.0} tok/s", (reps * batch.len()) as f64 / t0.elapsed().as_secs_f64());
    }
}
