//! Everything that can go wrong between a GGUF file and an utterance.

use std::path::PathBuf;

use stride_firmware_config::level::PolicyLevel;

/// Why the engine could not load a policy or answer a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The CPU lacks instructions that this binary's llama.cpp was compiled to use.
    #[error(
        "this binary's llama.cpp uses the CPU feature {missing}, which this CPU lacks; \
         use the build that brings kernels for every CPU (runtime/engine/README.md, \"CPU features\")"
    )]
    Cpu {
        /// The first missing feature.
        missing: &'static str,
    },
    /// llama.cpp could not be initialised.
    #[error("llama.cpp could not be initialised: {reason}")]
    Backend {
        /// What the library said.
        reason: String,
    },
    /// An option has a value that cannot work.
    #[error("option {field}: {problem}")]
    Option {
        /// The option's name in `EngineOptions`.
        field: &'static str,
        /// What is wrong with it, with the numbers.
        problem: String,
    },
    /// The file could not be read.
    #[error("policy file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not a GGUF file that llama.cpp accepts (damaged, cut short, or of an unknown architecture).
    #[error("policy file {path} was refused by llama.cpp: {reason}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// The last error that llama.cpp reported.
        reason: String,
    },
    /// A GGUF file, but not a Stride policy.
    #[error(
        "the file has no metadata key `{key}`, so it is not a Stride policy; \
         write it with `stride-convert export`"
    )]
    NotAPolicy {
        /// The missing key.
        key: &'static str,
    },
    /// The policy speaks another prompt layout.
    #[error(
        "the policy was trained on prompt layout {found}, this engine speaks layout {needed}; \
         retrain and convert it, or use an engine of its version"
    )]
    LayoutVersion {
        /// What the file says.
        found: String,
        /// What this engine speaks.
        needed: u32,
    },
    /// The policy reads more than an agent of this build remembers, or nothing.
    #[error(
        "the file's metadata key `{key}` is {found}, this engine can give 1 to {most}; convert the policy again, or use an engine of its version"
    )]
    Capacity {
        /// The key.
        key: String,
        /// What the file says.
        found: String,
        /// What this build holds.
        most: usize,
    },
    /// The policy's markers are not those of the layout.
    #[error(
        "the policy's metadata `stride.markers` lists {found}, layout {layout} needs {needed}; \
         convert the policy again from the tokenizer that it was trained with"
    )]
    Markers {
        /// What the file lists.
        found: String,
        /// What the layout needs.
        needed: String,
        /// The layout's version.
        layout: u32,
    },
    /// A marker is not a control token of the vocabulary.
    #[error(
        "the vocabulary has no control token `{marker}` ({problem}); \
         convert the policy again from the tokenizer that it was trained with"
    )]
    Marker {
        /// The marker's text.
        marker: &'static str,
        /// What was found instead.
        problem: &'static str,
    },
    /// llama.cpp could not allocate a context.
    #[error("llama.cpp could not make a context of {tokens} tokens: {reason}")]
    Context {
        /// The context asked for.
        tokens: u32,
        /// The last error that llama.cpp reported.
        reason: String,
    },
    /// A frame and its answer do not fit the context. Nothing is ever cut in silence.
    #[error(
        "a {level} frame of {prompt_tokens} tokens and an utterance of up to {cap} do not fit \
         the context of {context} tokens; shorten the observation or raise the context"
    )]
    FrameTooLong {
        /// The level that was asked.
        level: PolicyLevel,
        /// Tokens of the frame.
        prompt_tokens: usize,
        /// The level's utterance cap.
        cap: u32,
        /// The context.
        context: u32,
    },
    /// A text and what is to follow it do not fit the context.
    #[error(
        "a text of {prompt_tokens} tokens and up to {max_tokens} behind it do not fit the context of {context} tokens"
    )]
    TextTooLong {
        /// Tokens of the text.
        prompt_tokens: usize,
        /// Tokens wanted behind it.
        max_tokens: u32,
        /// The context.
        context: u32,
    },
    /// Too many calls wait for a slot.
    #[error(
        "{waiting} calls wait already; submit again when some are answered, or raise `waiting`"
    )]
    Busy {
        /// Calls that wait.
        waiting: usize,
    },
    /// The thread of a shared policy has ended.
    #[error("the inference thread has ended; load the policy again")]
    Gone,
    /// A prompt that grows with the episode has outgrown its context.
    #[error(
        "a history of {tokens} tokens does not fit the context of {context} tokens; raise the context"
    )]
    HistoryTooLong {
        /// Tokens of the prompt and the utterance.
        tokens: usize,
        /// The context.
        context: u32,
    },
    /// llama.cpp failed while decoding; the KV cache was emptied, so the next frame starts clean.
    #[error("llama.cpp failed to decode {tokens} tokens at position {position} (code {code})")]
    Decode {
        /// What `llama_decode` returned.
        code: i32,
        /// Tokens in the batch.
        tokens: usize,
        /// Position of the first of them.
        position: usize,
    },
    /// The model's logits are not numbers: damaged weights.
    #[error("the model produced no finite logit; its weights are damaged")]
    Logits,
    /// A list of actions cannot be used.
    #[error("list of actions: {problem}")]
    Actions {
        /// What is wrong with it.
        problem: String,
    },
    /// A grammar cannot be used, or no further.
    #[error("grammar: {problem}")]
    Grammar {
        /// What is wrong with it, and where.
        problem: String,
    },
    /// A verb template of the decoding constraint cannot be used.
    #[error("verb template `{template}`: {problem}")]
    Template {
        /// The template as written.
        template: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}
