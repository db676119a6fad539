//! Proof that llama.cpp may be called: it is initialised and the CPU has the instructions it was compiled for.

use std::sync::OnceLock;

use llama_cpp_2::LlamaCppError;
use llama_cpp_2::llama_backend::LlamaBackend;
#[cfg(all(target_arch = "x86_64", not(feature = "cpu-variants")))]
use llama_cpp_sys_2 as sys;

use crate::error::EngineError;
use crate::native::{kernels, log};

/// A value of this type proves that the backend is initialised. It is one per process and never freed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Backend(());

impl Backend {
    /// Initialises llama.cpp on the first call; later calls, from any thread, return the same outcome.
    pub(crate) fn get() -> Result<Self, EngineError> {
        static STARTED: OnceLock<Result<Backend, Failure>> = OnceLock::new();
        STARTED
            .get_or_init(start)
            .clone()
            .map_err(EngineError::from)
    }

    /// Whether AMX kernels are compiled in: then llama.cpp's weight layouts may crash (llama.cpp#20824).
    pub(crate) fn has_amx_kernels(self) -> bool {
        kernels::features().iter().any(|name| name == "AMX_INT8")
    }
}

#[derive(Debug, Clone)]
enum Failure {
    Cpu(&'static str),
    Init(String),
}

impl From<Failure> for EngineError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Cpu(missing) => Self::Cpu { missing },
            Failure::Init(reason) => Self::Backend { reason },
        }
    }
}

fn start() -> Result<Backend, Failure> {
    if let Some(missing) = missing_cpu_feature() {
        return Err(Failure::Cpu(missing));
    }
    log::install();
    #[cfg(feature = "cpu-variants")]
    kernels::load().map_err(Failure::Init)?;
    match LlamaBackend::init() {
        Ok(proof) => {
            // Dropping it would shut the backend down under engines that still run.
            std::mem::forget(proof);
            Ok(Backend(()))
        }
        // Somebody else in this process started it through llama-cpp-2, which is as good.
        Err(LlamaCppError::BackendAlreadyInitialized) => Ok(Backend(())),
        Err(other) => Err(Failure::Init(other.to_string())),
    }
}

/// The first feature that the kernels were compiled with and this CPU does not have.
#[cfg(all(target_arch = "x86_64", not(feature = "cpu-variants")))]
fn missing_cpu_feature() -> Option<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    // SAFETY: the `ggml_cpu_has_*` functions return compile-time constants of the library.
    let compiled = unsafe {
        [
            ("AVX", sys::ggml_cpu_has_avx(), has!("avx")),
            ("AVX2", sys::ggml_cpu_has_avx2(), has!("avx2")),
            ("BMI2", sys::ggml_cpu_has_bmi2(), has!("bmi2")),
            ("F16C", sys::ggml_cpu_has_f16c(), has!("f16c")),
            ("FMA", sys::ggml_cpu_has_fma(), has!("fma")),
            ("AVX512F", sys::ggml_cpu_has_avx512(), has!("avx512f")),
            (
                "AVX512-VNNI",
                sys::ggml_cpu_has_avx512_vnni(),
                has!("avx512vnni"),
            ),
        ]
    };
    compiled
        .into_iter()
        .find(|(_, compiled, present)| *compiled != 0 && !present)
        .map(|(name, ..)| name)
}

/// Elsewhere the compiler's baseline is the build's baseline, and kernels beside the binary were chosen for the CPU.
#[cfg(not(all(target_arch = "x86_64", not(feature = "cpu-variants"))))]
fn missing_cpu_feature() -> Option<&'static str> {
    None
}
