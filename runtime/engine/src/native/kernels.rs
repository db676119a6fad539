//! The CPU kernels that were found when llama.cpp started: what they compute with, and what is called of them by name.
//!
//! With the feature `cpu-variants` they are libraries beside the binary, one for each generation of CPUs, of which llama.cpp
//! loads the best that this CPU can run; nothing may then be linked against them. Otherwise they are part of the binary.

use std::ffi::CStr;

use llama_cpp_sys_2 as sys;

use crate::error::EngineError;
use crate::native::Backend;

/// The instructions that the CPU kernels in use were compiled with, as llama.cpp calls them (`AVX2`, `DOTPROD`).
///
/// # Errors
/// When llama.cpp cannot be initialised.
pub fn kernels() -> Result<Vec<String>, EngineError> {
    Backend::get()?;
    Ok(features())
}

/// As [`kernels`], when the backend is initialised.
pub(super) fn features() -> Vec<String> {
    type List = unsafe extern "C" fn(sys::ggml_backend_reg_t) -> *mut sys::ggml_backend_feature;
    let Some((registry, list)) = symbol(c"ggml_backend_get_features") else {
        return Vec::new();
    };
    // SAFETY: this is the type that ggml-backend.h gives the function of this name (`ggml_backend_get_features_t`).
    let list = unsafe { std::mem::transmute::<*mut std::ffi::c_void, List>(list) };
    let mut names = Vec::new();
    // SAFETY: the registry is the one that the function came from; the list lives as long as the process and ends with an entry
    // whose name is null.
    unsafe {
        let mut feature = list(registry);
        while !feature.is_null() && !(*feature).name.is_null() {
            names.push(
                CStr::from_ptr((*feature).name)
                    .to_string_lossy()
                    .into_owned(),
            );
            feature = feature.add(1);
        }
    }
    names
}

/// A function of the CPU kernels by its name, and the registry that has it.
pub(super) fn symbol(name: &CStr) -> Option<(sys::ggml_backend_reg_t, *mut std::ffi::c_void)> {
    // SAFETY: both names are NUL-terminated; an unknown one gives null, and a registry lives as long as the process.
    unsafe {
        let registry = sys::ggml_backend_reg_by_name(c"CPU".as_ptr());
        if registry.is_null() {
            return None;
        }
        let found = sys::ggml_backend_reg_get_proc_address(registry, name.as_ptr());
        (!found.is_null()).then_some((registry, found))
    }
}

/// Loads the kernels for this CPU from the libraries beside the binary.
#[cfg(feature = "cpu-variants")]
pub(super) fn load() -> Result<(), String> {
    let folder = folder()?;
    llama_cpp_2::llama_backend::load_backends_from_path(&folder);
    match symbol(c"ggml_backend_get_features") {
        Some(_) => Ok(()),
        None => Err(format!(
            "none of the CPU kernels in {} runs on this CPU",
            folder.display()
        )),
    }
}

/// Names a folder with the kernels in place of those beside the binary.
#[cfg(feature = "cpu-variants")]
const FOLDER: &str = "STRIDE_KERNELS";

/// The folder that holds the kernels: `../lib/stride` from the binary, or the binary's own. Never one that depends on where the
/// program was started.
#[cfg(feature = "cpu-variants")]
fn folder() -> Result<std::path::PathBuf, String> {
    let folders = match std::env::var_os(FOLDER) {
        Some(named) => vec![named.into()],
        None => {
            let program = std::env::current_exe()
                .and_then(|program| program.canonicalize())
                .map_err(|error| format!("the path of this program: {error}"))?;
            let beside = program.parent().unwrap_or(&program);
            vec![beside.join("../lib/stride"), beside.to_owned()]
        }
    };
    // llama-cpp-2 panics on a path that is no text.
    let usable = |folder: &&std::path::PathBuf| folder.to_str().is_some() && has_kernels(folder);
    folders.iter().find(usable).cloned().ok_or_else(|| {
        let places: Vec<_> = folders.iter().map(|f| f.display().to_string()).collect();
        format!(
            "no CPU kernels (libggml-cpu-*) in {}; install them beside the binary as .ci/portable does, or name their folder in \
             {FOLDER}",
            places.join(" or ")
        )
    })
}

#[cfg(feature = "cpu-variants")]
fn has_kernels(folder: &std::path::Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.any(|entry| {
        entry.is_ok_and(|entry| {
            let name = entry.file_name();
            name.to_string_lossy().contains("ggml-cpu")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_name_what_they_compute_with() {
        let found = kernels().unwrap();
        assert!(found.iter().all(|name| !name.is_empty()), "{found:?}");
        assert!(symbol(c"no such function").is_none());
        #[cfg(target_arch = "x86_64")]
        for (name, present) in [
            ("AVX", std::arch::is_x86_feature_detected!("avx")),
            ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
            ("AVX512", std::arch::is_x86_feature_detected!("avx512f")),
        ] {
            assert!(
                present || !found.iter().any(|f| f == name),
                "{name}: {found:?}"
            );
        }
    }
}
