//! Which GPUs this binary can compute on.

use std::ffi::CStr;

use llama_cpp_sys_2 as sys;

use crate::error::EngineError;
use crate::native::Backend;

/// The GPUs that llama.cpp has found, by the names that their drivers give. Empty without one, or when this binary was built
/// without `cuda`, `vulkan` or `metal`: then GPU layers are computed on the CPU.
///
/// # Errors
/// When llama.cpp cannot be initialised.
pub fn gpus() -> Result<Vec<String>, EngineError> {
    Backend::get()?;
    // SAFETY: the backend is initialised, so the registry of devices is complete and no longer changes.
    let count = unsafe { sys::ggml_backend_dev_count() };
    let mut names = Vec::new();
    for index in 0..count {
        // SAFETY: the index is below the count; devices live as long as the process, and so do their descriptions, which are
        // NUL-terminated.
        let (kind, description) = unsafe {
            let device = sys::ggml_backend_dev_get(index);
            let description = sys::ggml_backend_dev_description(device);
            (sys::ggml_backend_dev_type(device), description)
        };
        let is_gpu = matches!(
            kind,
            sys::GGML_BACKEND_DEVICE_TYPE_GPU | sys::GGML_BACKEND_DEVICE_TYPE_IGPU
        );
        if is_gpu && !description.is_null() {
            // SAFETY: as above.
            let name = unsafe { CStr::from_ptr(description) };
            names.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_gpu_support_finds_none() {
        let found = gpus().unwrap();
        if !cfg!(any(
            feature = "cuda",
            feature = "vulkan",
            feature = "metal",
            target_os = "macos"
        )) {
            assert!(found.is_empty(), "{found:?}");
        }
        assert!(found.iter().all(|name| !name.is_empty()));
    }
}
