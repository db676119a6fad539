//! Running the same arithmetic on wider vectors where the processor has them. The results are the same bit for bit: the
//! order of operations is fixed in the source, and Rust never fuses a product and a sum.

/// Arithmetic whose `run`, and all it calls, is `#[inline(always)]`, so that it can be compiled once more for wider
/// vectors.
pub(super) trait Work {
    /// What it gives.
    type Output;
    /// Does it.
    fn run(self) -> Self::Output;
}

/// Does `work` with AVX2 where there is AVX2.
pub(super) fn widest<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn with_avx2<W: Work>(work: W) -> W::Output {
            work.run()
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as was just found, and that is all the function asks for.
            return unsafe { with_avx2(work) };
        }
    }
    work.run()
}
