//! A loaded GGUF file.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::vocab::LlamaVocab;
use llama_cpp_sys_2 as sys;

use crate::error::EngineError;
use crate::native::{Backend, arrays, log};

/// How a model is loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ModelParams {
    /// Layers to put on a GPU.
    pub(crate) gpu_layers: u32,
    /// llama.cpp's `use_extra_bufts`.
    pub(crate) repack_weights: bool,
    /// Read no weights and allocate nothing: contexts of such a model only tell what they would take.
    pub(crate) simulate: bool,
}

/// Weights (memory-mapped) and vocabulary. Immutable, shared by contexts.
#[derive(Debug)]
pub(crate) struct Model {
    model: LlamaModel,
    /// The pointer inside `model`, which llama-cpp-2 does not hand out.
    raw: NonNull<sys::llama_model>,
    path: PathBuf,
}

// SAFETY: `raw` is the pointer inside `model`, which is Send and Sync; it is used only to create contexts, under a lock.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl Model {
    /// Maps the file and reads its vocabulary.
    pub(crate) fn load(_: Backend, path: &Path, params: ModelParams) -> Result<Self, EngineError> {
        let refused = |reason: String| EngineError::Refused {
            path: path.to_owned(),
            reason,
        };
        // Gives the system's own words for a file that is missing or not readable.
        File::open(path).map_err(|source| EngineError::File {
            path: path.to_owned(),
            source,
        })?;
        let name = path
            .to_str()
            .and_then(|p| CString::new(p).ok())
            .ok_or_else(|| refused("the path is not plain UTF-8".into()))?;
        // SAFETY: pure function that fills a plain struct.
        let mut native = unsafe { sys::llama_model_default_params() };
        native.n_gpu_layers = i32::try_from(params.gpu_layers).unwrap_or(i32::MAX);
        native.load_mode = if params.simulate {
            sys::LLAMA_LOAD_MODE_NONE
        } else {
            sys::LLAMA_LOAD_MODE_MMAP
        };
        native.no_alloc = params.simulate;
        native.use_extra_bufts = params.repack_weights;
        // SAFETY: the backend is initialised (proof above), `name` is NUL-terminated and every pointer of `native` is
        // null, as the defaults have it.
        let (raw, reason) =
            log::with_reason(|| unsafe { sys::llama_model_load_from_file(name.as_ptr(), native) });
        let raw = NonNull::new(raw).ok_or_else(|| refused(reason))?;
        // SAFETY: `LlamaModel` is `repr(transparent)` over a crate-private pointer type that is `repr(transparent)` over
        // `NonNull<llama_model>` (llama-cpp-2 0.1.160, src/model.rs and src/ptr.rs; the version is pinned exactly), and
        // `raw` is a model that nobody else will free.
        let model = unsafe { std::mem::transmute::<NonNull<sys::llama_model>, LlamaModel>(raw) };
        Ok(Self {
            model,
            raw,
            path: path.to_owned(),
        })
    }

    /// The value of a metadata key as text; `None` when the key is missing.
    pub(crate) fn metadata(&self, key: &str) -> Option<String> {
        self.model.meta_val_str(key).ok()
    }

    /// The strings under a metadata key; `None` when it is missing or no array of strings.
    pub(crate) fn metadata_strings(&self, key: &CStr) -> Option<Vec<String>> {
        arrays::strings(&self.path, key)
    }

    /// Tokens of context the model was trained with.
    pub(crate) fn context_trained(&self) -> u32 {
        self.model.n_ctx_train()
    }

    /// Whether keys and values of every head are whole blocks of 32 numbers, as a quantized cache needs them.
    pub(crate) fn has_whole_blocks(&self) -> bool {
        let number = |key: &str| {
            let architecture = self.metadata("general.architecture")?;
            let value = self.metadata(&format!("{architecture}.attention.{key}"))?;
            value.parse::<u32>().ok()
        };
        let width = |key| {
            let embedding = self.model.n_embd().unsigned_abs();
            number(key).unwrap_or(embedding / self.model.n_head().max(1))
        };
        ["key_length", "value_length"]
            .into_iter()
            .all(|key| width(key).is_multiple_of(32))
    }

    /// Bytes of the weights.
    pub(crate) fn weight_bytes(&self) -> u64 {
        self.model.size()
    }

    /// The vocabulary.
    pub(crate) fn vocabulary(&self) -> LlamaVocab<'_> {
        self.model.vocab()
    }

    pub(super) fn as_ptr(&self) -> *mut sys::llama_model {
        self.raw.as_ptr()
    }
}
