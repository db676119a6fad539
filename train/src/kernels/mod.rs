//! The arithmetic of the fused training operations on plain `f32` slices: forward passes and their gradients.
//!
//! Everything runs on the calling thread; parallelism is the caller's (one shard of a batch per thread). Matrices are
//! row-major. Loops are `vectorized!` (see [`simd`]): compiled for wide vectors as well and chosen at run time.

pub mod attention;
#[cfg(test)]
mod gradients;
pub mod heads;
pub mod matrix;
pub mod norm;
pub mod pool;
pub mod rope;
pub mod simd;
pub mod softmax;
pub mod swiglu;
