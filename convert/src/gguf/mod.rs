//! The GGUF container, version 3, as its public specification describes it
//! (`docs/gguf.md` of the ggml repository): a writer that streams and a reader that trusts nothing.
//!
//! ```text
//! "GGUF" | u32 version | u64 tensors | u64 pairs | pairs | tensor directory | padding | tensor data, each aligned
//! ```
//!
//! All numbers are little-endian. The reader also takes version 2, which has the same layout.

mod cursor;
mod directory;
mod error;
mod metadata;
mod reader;
pub mod split;
mod types;
mod writer;

pub use directory::TensorEntry;
pub use error::{ReadError, ReadErrorKind, WriteError};
pub use metadata::{Array, Metadata, Value};
pub use reader::GgufFile;
pub use types::TensorType;
pub use writer::{GgufWriter, TensorInfo, file_bytes};

/// The first four bytes of every GGUF file.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// The version that is written; 2 and 3 are read.
pub const VERSION: u32 = 3;
/// Alignment of the tensor data when `general.alignment` does not say otherwise.
pub const DEFAULT_ALIGNMENT: u64 = 32;
/// The key that changes the alignment.
pub const ALIGNMENT_KEY: &str = "general.alignment";
/// Dimensions of a tensor at most (`GGML_MAX_DIMS`).
pub const MAX_DIMENSIONS: u32 = 4;
/// Bytes of a tensor name at most (`GGML_MAX_NAME` less its closing zero).
pub const MAX_TENSOR_NAME: usize = 63;
/// Bytes of a metadata key at most (specification).
pub const MAX_KEY: usize = 65_535;
