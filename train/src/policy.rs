//! A checkpoint behind the agent's `Policy` trait: greedy decoding in candle's layout, without llama.cpp.

use std::path::Path;
use std::sync::Arc;

use stride_agent::policy::{Cost, Policy, PolicyError, Utterance};
use stride_firmware_config::frame::{Marker, StepFrame};

use crate::checkpoint::Checkpoint;
use crate::error::Result;
use crate::model::decoder::Decoder;
use crate::model::network::Network;
use crate::tokens::FrameTokenizer;

/// Tokens of an utterance at most, unless set otherwise.
const LONGEST_UTTERANCE: usize = 128;

/// Greedy inference with a KV cache that keeps what successive frames share.
#[derive(Debug)]
pub struct CandlePolicy {
    tokenizer: Arc<FrameTokenizer>,
    decoder: Decoder,
    longest: usize,
}

impl CandlePolicy {
    /// A policy from flat weights.
    #[must_use]
    pub fn new(tokenizer: Arc<FrameTokenizer>, network: Network, weights: Vec<f32>) -> Self {
        Self {
            tokenizer,
            decoder: Decoder::new(network, weights),
            longest: LONGEST_UTTERANCE,
        }
    }

    /// A policy from a checkpoint folder.
    ///
    /// # Errors
    /// When the folder does not hold a checkpoint.
    pub fn load(folder: &Path) -> Result<Self> {
        let checkpoint = Checkpoint::load(folder)?;
        Ok(Self::new(
            Arc::new(checkpoint.tokenizer),
            checkpoint.network,
            checkpoint.weights,
        ))
    }

    /// Sets the most tokens of an utterance, its end marker included (default 128).
    #[must_use]
    pub const fn with_longest_utterance(mut self, tokens: usize) -> Self {
        self.longest = tokens;
        self
    }

    fn answer(&mut self, frame: &StepFrame<'_>) -> Result<Utterance> {
        let prompt = self.tokenizer.frame(frame)?;
        let end = self.tokenizer.marker(Marker::End);
        let (mut logits, decoded) = self.decoder.prompt(&prompt)?;
        let mut said = Vec::new();
        let mut capped = true;
        while said.len() < self.longest {
            let token = most_likely(&logits);
            if token == end {
                capped = false;
                break;
            }
            said.push(token);
            if self.decoder.len() == self.decoder.capacity() {
                break;
            }
            logits = self.decoder.extend(&[token])?;
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Ok(Utterance {
            text: self.tokenizer.decode(&said)?,
            cost: Cost {
                prompt_tokens: count(prompt.len()),
                decoded_tokens: count(decoded),
                generated_tokens: count(said.len() + usize::from(!capped)),
                capped,
                ..Cost::default()
            },
        })
    }
}

impl Policy for CandlePolicy {
    fn utter(&mut self, frame: &StepFrame<'_>) -> std::result::Result<Utterance, PolicyError> {
        self.answer(frame).map_err(PolicyError::new)
    }
}

/// The first of the largest logits.
fn most_likely(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = index;
        }
    }
    u32::try_from(best).expect("a vocabulary has fewer than 2^32 tokens")
}
