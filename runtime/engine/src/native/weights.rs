//! Number types of the weights in a GGUF file.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

/// The metadata of a file, without its tensors.
struct Metadata(NonNull<sys::gguf_context>);

impl Metadata {
    fn read(path: &Path) -> Option<Self> {
        let name = CString::new(path.to_str()?).ok()?;
        let params = sys::gguf_init_params {
            no_alloc: true,
            ctx: std::ptr::null_mut(),
        };
        // SAFETY: `name` is NUL-terminated; no context for tensors is asked for. A file that is no GGUF gives null.
        NonNull::new(unsafe { sys::gguf_init_from_file(name.as_ptr(), params) }).map(Self)
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        // SAFETY: it came from `gguf_init_from_file` and is freed once.
        unsafe { sys::gguf_free(self.0.as_ptr()) }
    }
}

/// Whether every matrix of a file is of type Q8_0; norms and biases are vectors in F32. `None` when it cannot be read.
pub(crate) fn all_q8_0(path: &Path) -> Option<bool> {
    let metadata = Metadata::read(path)?;
    // SAFETY: the metadata live until the end of this function.
    let count = unsafe { sys::gguf_get_n_tensors(metadata.0.as_ptr()) };
    let mut matrices = 0;
    for index in 0..count {
        // SAFETY: as above, and the index is below the count; names are NUL-terminated and live as long as the metadata.
        let (kind, name) = unsafe {
            let name = sys::gguf_get_tensor_name(metadata.0.as_ptr(), index);
            let kind = sys::gguf_get_tensor_type(metadata.0.as_ptr(), index);
            (kind, CStr::from_ptr(name).to_bytes())
        };
        let vector = name.ends_with(b".bias") || name.ends_with(b"norm.weight");
        match kind {
            sys::GGML_TYPE_Q8_0 => matrices += 1,
            sys::GGML_TYPE_F32 if vector => {}
            _ => return Some(false),
        }
    }
    Some(matrices > 0)
}
