//! What can be wrong with a GGUF file, or with what should become one.

/// A file that is refused, and the byte at which reading stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {kind}")]
pub struct ReadError {
    /// Offset in the file.
    pub offset: usize,
    /// What is wrong there.
    pub kind: ReadErrorKind,
}

/// Why a GGUF file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The first four bytes are not `GGUF`.
    #[error("this is not a GGUF file (it does not begin with \"GGUF\")")]
    Magic,
    /// A version that is not read.
    #[error(
        "GGUF version {0} is not supported (2 and 3 are); write the file anew with a current tool"
    )]
    Version(u32),
    /// A version number whose bytes are swapped.
    #[error("the file is big-endian, which is not supported; convert it to little-endian first")]
    BigEndian,
    /// The file ends inside a field.
    #[error(
        "{field} needs {needed} bytes, but {remaining} remain; the file is cut short or lies about a length"
    )]
    Truncated {
        /// What was being read.
        field: &'static str,
        /// Bytes it needs.
        needed: u64,
        /// Bytes there are.
        remaining: u64,
    },
    /// A count that cannot fit in the bytes that remain.
    #[error(
        "the file claims {count} {what}, but the {remaining} bytes that remain hold {most} at most"
    )]
    Count {
        /// What is counted.
        what: &'static str,
        /// The claim.
        count: u64,
        /// Bytes there are.
        remaining: u64,
        /// How many fit.
        most: u64,
    },
    /// Text that is not UTF-8.
    #[error("{0} is not UTF-8")]
    Utf8(&'static str),
    /// A name or key that is empty or too long.
    #[error("{field} has {len} bytes (1 to {most} are allowed)")]
    Length {
        /// What was being read.
        field: &'static str,
        /// Bytes it has.
        len: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// A key that stands twice.
    #[error("the key {0:?} stands twice")]
    DuplicateKey(String),
    /// A value type outside the specification.
    #[error("value type {0} is unknown (0 to 12 are known)")]
    ValueType(u32),
    /// A Boolean that is neither 0 nor 1.
    #[error("a Boolean is {0} (0 or 1 is allowed)")]
    Bool(u8),
    /// Arrays inside arrays beyond the limit.
    #[error("arrays are nested deeper than {0}")]
    Nesting(usize),
    /// An alignment that is not a power of two, or absurd.
    #[error("general.alignment is {0} (a power of two from 8 to 65536 is allowed)")]
    Alignment(u64),
    /// A tensor name that stands twice.
    #[error("the tensor {0:?} stands twice")]
    DuplicateTensor(String),
    /// Too many dimensions, or none.
    #[error("tensor {name:?} has {count} dimensions (1 to 4 are allowed)")]
    Dimensions {
        /// The tensor.
        name: String,
        /// What the file says.
        count: u32,
    },
    /// A tensor type that ggml does not have.
    #[error("tensor {name:?} has type {id}, which is unknown here")]
    TensorType {
        /// The tensor.
        name: String,
        /// What the file says.
        id: u32,
    },
    /// Dimensions that overflow, are zero, or do not make whole blocks.
    #[error(
        "tensor {name:?} has the shape {shape:?}, which does not make whole blocks of its type or is too large"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Columns first.
        shape: Vec<u64>,
    },
    /// Tensor data that does not begin at a multiple of the alignment.
    #[error("tensor {name:?} begins at offset {offset}, which is not a multiple of {alignment}")]
    Misaligned {
        /// The tensor.
        name: String,
        /// Offset in the data section.
        offset: u64,
        /// The file's alignment.
        alignment: u64,
    },
    /// Tensor data beyond the end of the file.
    #[error(
        "the data of tensor {name:?} ends at offset {end} of the data section, which has {available} bytes"
    )]
    OutOfFile {
        /// The tensor.
        name: String,
        /// Where it would end.
        end: u64,
        /// Bytes of the data section.
        available: u64,
    },
    /// Two tensors share bytes.
    #[error("the tensors {first:?} and {second:?} overlap")]
    Overlap {
        /// The one that begins first.
        first: String,
        /// The one that begins inside it.
        second: String,
    },
}

/// What a writer was asked that GGUF cannot hold, or an output that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output failed.
    #[error("writing failed: {0}")]
    Io(#[from] std::io::Error),
    /// A tensor name that is empty, too long or used twice.
    #[error("tensor name {name:?} is empty, stands twice, or is longer than {most} bytes")]
    TensorName {
        /// The name.
        name: String,
        /// Bytes allowed.
        most: usize,
    },
    /// A shape that does not make whole blocks, or has no or too many dimensions.
    #[error("tensor {name:?} with columns-first shape {shape:?} cannot be stored as {kind}")]
    Shape {
        /// The tensor.
        name: String,
        /// Columns first.
        shape: Vec<u64>,
        /// The type asked for.
        kind: super::TensorType,
    },
    /// Tensor bytes that are not those that were announced.
    #[error("tensor {name:?} needs {expected} bytes, got {got}")]
    TensorBytes {
        /// The tensor.
        name: String,
        /// Announced.
        expected: u64,
        /// Handed in.
        got: u64,
    },
    /// A header that was to be written over another has another length.
    #[error(
        "the header has {after} bytes and should take the place of one of {before} (a bug; please report it)"
    )]
    HeaderBytes {
        /// Bytes of the header that stands there.
        before: usize,
        /// Bytes of the one that should take its place.
        after: usize,
    },
    /// The metadata claims another alignment than the writer keeps.
    #[error("general.alignment must be 32 or absent")]
    Alignment,
    /// An output that is no file at all: a bug here.
    #[error("there is no file to write (a bug; please report it)")]
    NoFile,
    /// A model cut into too many files.
    #[error("the model would become more than {most} files; allow larger ones (--split-max-size)")]
    Files {
        /// Files allowed.
        most: usize,
    },
    /// More tensors, or fewer, than were announced.
    #[error("{announced} tensors were announced and {written} written")]
    TensorCount {
        /// Announced.
        announced: usize,
        /// Handed in.
        written: usize,
    },
}
