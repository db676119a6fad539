//! Why a checkpoint is refused: what, where, and what to do about it.

use std::path::PathBuf;

use super::weights::WeightType;

/// A checkpoint that cannot be converted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than any of its kind should be.
    #[error("{path} has more than {most} bytes, which no file of its kind needs")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes allowed.
        most: u64,
    },
    /// A file is not the JSON that was expected.
    #[error("{path} is malformed: {source}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A field of `config.json` or `stride.json` has a value that is not supported.
    #[error("{path}: {field} {problem}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A tokenizer that the rules of the GGUF file could not reproduce token for token.
    #[error("{path}: {problem}")]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is allowed.
        problem: TokenizerProblem,
    },
    /// A weight file whose header does not hold together.
    #[error("{path} is not a valid safetensors file: {source}; save it again with the trainer")]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// Why.
        source: safetensors::SafeTensorError,
    },
    /// Weights of a type that is not read.
    #[error("{path}: tensor {name:?} has type {kind}; F32, F16 and BF16 are read")]
    WeightType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        kind: String,
    },
    /// A tensor that the architecture needs is absent.
    #[error(
        "the weights have no tensor {name:?}, which the architecture needs; is config.json that of this checkpoint?"
    )]
    MissingTensor {
        /// The tensor.
        name: String,
    },
    /// A tensor that the architecture does not have: dropping it would change what the model computes.
    #[error(
        "the weights hold a tensor {name:?} that the architecture {architecture} does not have; it cannot be dropped silently"
    )]
    UnexpectedTensor {
        /// `model_type` of `config.json`.
        architecture: &'static str,
        /// The tensor.
        name: String,
    },
    /// A tensor whose shape contradicts `config.json`.
    #[error("tensor {name:?} has the shape {got:?}, but config.json makes it {expected:?}")]
    TensorShape {
        /// The tensor.
        name: String,
        /// Rows first, by the configuration.
        expected: Vec<usize>,
        /// Rows first, in the file.
        got: Vec<usize>,
    },
    /// The vocabulary has more tokens than the embedding has rows.
    #[error(
        "the tokenizer has {tokens} tokens, but config.json says vocab_size {vocab}; they are not of one checkpoint"
    )]
    VocabularySize {
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding.
        vocab: usize,
    },
    /// A weight that is NaN or infinite.
    #[error(
        "tensor {name:?}: weight {index} ({kind}) is {value}; training diverged, take an earlier checkpoint"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// Position in the tensor as it is stored, row by row.
        index: u64,
        /// How it is stored.
        kind: WeightType,
        /// The weight.
        value: f32,
    },
}

/// Why a `tokenizer.json` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerProblem {
    /// A component that is not the one the GGUF rules stand for.
    #[error(
        "its {part} is {found}, but llama.cpp's rules for it need {needed}; train the tokenizer with that"
    )]
    Part {
        /// Which component or setting.
        part: &'static str,
        /// What the file has.
        found: String,
        /// What is needed.
        needed: &'static str,
    },
    /// A byte that has no token, so that text with it would be cut silently.
    #[error(
        "the vocabulary has no token for the byte 0x{byte:02x} (written {symbol:?}); train with the whole byte-level alphabet"
    )]
    MissingByte {
        /// The byte.
        byte: u8,
        /// How byte-level BPE writes it.
        symbol: char,
    },
    /// Ids that are not 0, 1, 2, ... without gaps.
    #[error("token ids must be 0 to {last} without gaps, but {problem}")]
    Ids {
        /// The largest id that the number of tokens allows.
        last: usize,
        /// What is wrong.
        problem: String,
    },
    /// A merge that names a token that does not exist, or stands twice.
    #[error("merge {index} ({left:?} {right:?}) {problem}")]
    Merge {
        /// Position in the list.
        index: usize,
        /// Left half.
        left: String,
        /// Right half.
        right: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A marker of the prompt layout that is absent or elsewhere.
    #[error(
        "the marker {token:?} must be a special token with id {expected}, but {found}; train the tokenizer with the markers first"
    )]
    Marker {
        /// The marker.
        token: &'static str,
        /// The id it must have.
        expected: usize,
        /// What the file has.
        found: String,
    },
    /// No rules that llama.cpp has give the tokens that the file gives.
    #[error(
        "llama.cpp cannot reproduce it: the nearest rules, {rules}, differ on the text {text:?} ({difference}: in llama.cpp \
         and in this file)"
    )]
    Unreproducible {
        /// The rules that came nearest.
        rules: String,
        /// The first text on which they differ.
        text: String,
        /// Where, and what each makes of it.
        difference: String,
    },
    /// A file that the library of tokenizers does not load, or that lacks what its kind needs.
    #[error("it cannot be used: {reason}")]
    Rejected {
        /// Why.
        reason: String,
    },
    /// A token that the GGUF rules would treat differently.
    #[error("the token {token:?} {problem}")]
    Token {
        /// The token.
        token: String,
        /// What is wrong.
        problem: &'static str,
    },
}
