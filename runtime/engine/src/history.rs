//! The baseline that a step-level agent is measured against: a prompt that grows with the episode.

use std::path::Path;
use std::sync::Arc;

use stride_agent::policy::Cost;
use stride_firmware_config::frame::Marker;

use crate::error::EngineError;
use crate::native::{Context, Token};
use crate::options::EngineOptions;
use crate::policy::{context_params, load_model};
use crate::sampling;
use crate::sequence::Sequence;
use crate::vocabulary::Vocabulary;

/// A history-conditioned agent on the weights of a policy, with llama.cpp's prefix cache at its best: the prompt is only ever
/// appended to, so everything that was decoded once is found in the KV cache, the agent's own actions included.
///
/// The policy was not trained for such prompts and its context may be longer than what it was trained with, so *what* it
/// would say is worthless; what it costs is not. So the caller says which action the agent takes, and pays as if
/// greedy decoding had found it.
#[derive(Debug)]
pub struct History {
    vocabulary: Vocabulary,
    sequence: Sequence,
    /// The prompt so far.
    tokens: Vec<Token>,
    /// Of these, already in the cache.
    held: usize,
    context_tokens: u32,
}

impl History {
    /// Loads the policy with a context of `context_tokens`, which may exceed what it was trained with. Of the options count
    /// threads, batch, GPU layers, and number type and kernel of the attention.
    ///
    /// # Errors
    /// As [`crate::LlamaPolicy::load`].
    pub fn load(
        path: &Path,
        options: &EngineOptions,
        context_tokens: u32,
    ) -> Result<Self, EngineError> {
        let model = load_model(path, options)?;
        let vocabulary = Vocabulary::new(Arc::clone(&model))?;
        let context = Context::new(
            Arc::clone(&model),
            context_params(options, context_tokens, &model),
        )?;
        Ok(Self {
            vocabulary,
            sequence: Sequence::new(context),
            tokens: Vec::with_capacity(context_tokens as usize),
            held: 0,
            context_tokens,
        })
    }

    /// Starts an episode with an empty prompt and an empty cache.
    pub fn begin(&mut self) {
        self.sequence.forget();
        self.tokens.clear();
        self.held = 0;
        self.tokens.push(self.vocabulary.marker(Marker::Begin));
    }

    /// Tokens of the prompt so far.
    #[must_use]
    pub fn prompt_tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Appends a text behind its marker. Nothing is decoded yet.
    pub fn push(&mut self, marker: Marker, text: &str) {
        self.tokens.push(self.vocabulary.marker(marker));
        if !text.is_empty() {
            self.vocabulary.push_spaced(text, &mut self.tokens);
        }
    }

    /// Decodes what was appended, then generates `action` token by token and its end marker.
    ///
    /// # Errors
    /// When the prompt outgrows the context or llama.cpp fails.
    pub fn act(&mut self, action: &str) -> Result<Cost, EngineError> {
        self.tokens.push(self.vocabulary.marker(Marker::Low));
        let prompt = self.tokens.len();
        let mut utterance = Vec::new();
        self.vocabulary.push_spaced(action, &mut utterance);
        utterance.push(self.vocabulary.marker(Marker::End));
        let cap = u32::try_from(utterance.len()).unwrap_or(u32::MAX);
        if prompt.saturating_add(utterance.len()) > self.context_tokens as usize {
            return Err(EngineError::HistoryTooLong {
                tokens: prompt + utterance.len(),
                context: self.context_tokens,
            });
        }
        let decoded = prompt - self.held;
        for token in utterance {
            let logits = self.sequence.logits_after(&self.tokens)?;
            // Greedy decoding looks at every logit; what it would choose is not what the caller wants to hear.
            sampling::most_likely(logits)?;
            self.held = self.tokens.len();
            self.tokens.push(token);
        }
        Ok(Cost {
            prompt_tokens: u32::try_from(prompt).unwrap_or(u32::MAX),
            decoded_tokens: u32::try_from(decoded).unwrap_or(u32::MAX),
            generated_tokens: cap,
            accepted_tokens: 0,
            capped: false,
        })
    }
}
