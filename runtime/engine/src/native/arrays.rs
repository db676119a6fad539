//! Arrays of strings in GGUF metadata, which llama.cpp does not hand out with a loaded model.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_sys_2 as sys;

/// The header of a GGUF file, read without its tensors.
struct Header(NonNull<sys::gguf_context>);

impl Drop for Header {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `gguf_init_from_file` and is freed once.
        unsafe { sys::gguf_free(self.0.as_ptr()) };
    }
}

/// The strings under `key`; `None` when the file cannot be read, the key is missing or not an array of strings.
pub(super) fn strings(path: &Path, key: &CStr) -> Option<Vec<String>> {
    let path = CString::new(path.to_str()?).ok()?;
    let params = sys::gguf_init_params {
        no_alloc: true,
        ctx: std::ptr::null_mut(),
    };
    // SAFETY: the path is NUL-terminated, and a null `ctx` asks for no tensors.
    let raw = unsafe { sys::gguf_init_from_file(path.as_ptr(), params) };
    let header = Header(NonNull::new(raw)?);
    let raw = header.0.as_ptr();
    // SAFETY: the header is alive and the key NUL-terminated; the array functions abort on another type, so the types
    // are asked first.
    unsafe {
        let id = sys::gguf_find_key(raw, key.as_ptr());
        if id < 0
            || sys::gguf_get_kv_type(raw, id) != sys::GGUF_TYPE_ARRAY
            || sys::gguf_get_arr_type(raw, id) != sys::GGUF_TYPE_STRING
        {
            return None;
        }
        let text = |at| CStr::from_ptr(sys::gguf_get_arr_str(raw, id, at));
        let texts = (0..sys::gguf_get_arr_n(raw, id)).map(text);
        Some(texts.map(|t| t.to_string_lossy().into_owned()).collect())
    }
}
