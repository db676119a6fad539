//! What both sides are shown.

use stride_firmware_config::level::PolicyLevel;

use super::{Sample, VerifyError};
use crate::encoder::{Encoder, FrameEncoder};
use crate::transitions::Transitions;

/// Samples, and what their groups are called.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// The samples.
    pub samples: Vec<Sample>,
    /// Names of the groups; empty where there is one only.
    pub groups: Vec<&'static str>,
    /// Samples that are longer than the context and were left out.
    pub too_long: usize,
}

impl Samples {
    /// Windows of `context` tokens over a text, the second half of each looked at, as `llama-perplexity` does it; a
    /// text that is shorter makes one window.
    ///
    /// A file of a llama.cpp tool that is to be compared with this must come of the same window. Where the tokenizer
    /// begins a text with a token of its own, every window begins with it.
    ///
    /// # Errors
    ///
    /// When the text has fewer than four tokens, or cannot be tokenized.
    pub fn of_text(encoder: &Encoder, text: &str, context: usize) -> Result<Self, VerifyError> {
        let tokens = encoder.text(text)?;
        let begin = encoder.text("")?.first().copied();
        let context = context.min(tokens.len());
        if context < LEAST_WINDOW {
            return Err(VerifyError::ShortText {
                tokens: tokens.len(),
                least: LEAST_WINDOW,
            });
        }
        let windows = tokens.chunks_exact(context).map(|window| {
            let mut tokens = window.to_vec();
            if let Some(begin) = begin {
                tokens[0] = begin;
            }
            Sample {
                tokens,
                // The first half is there to be attended to.
                scored: context / 2 + 1..context,
                group: 0,
            }
        });
        Ok(Self {
            samples: windows.collect(),
            ..Self::default()
        })
    }

    /// Frames with the utterances that stand behind them, which are what is looked at; one group for every level.
    ///
    /// # Errors
    ///
    /// When a text cannot be tokenized, or no sample fits `context` tokens.
    pub fn of_transitions(
        encoder: &FrameEncoder,
        transitions: &Transitions,
        context: usize,
    ) -> Result<Self, VerifyError> {
        let mut made = Self {
            groups: PolicyLevel::ALL.map(PolicyLevel::name).to_vec(),
            ..Self::default()
        };
        for (group, level) in transitions.levels.iter().enumerate() {
            for transition in level {
                let mut tokens = encoder.frame(&transition.state.as_frame())?;
                let frame = tokens.len();
                tokens.extend(encoder.utterance(&transition.utterance)?);
                if tokens.len() > context {
                    made.too_long += 1;
                    continue;
                }
                made.samples.push(Sample {
                    scored: frame..tokens.len(),
                    tokens,
                    group,
                });
            }
        }
        if made.samples.is_empty() {
            return Err(VerifyError::NothingFits { context });
        }
        Ok(made)
    }
}

/// Tokens of the shortest window: two halves, the second with a token to predict.
const LEAST_WINDOW: usize = 4;
