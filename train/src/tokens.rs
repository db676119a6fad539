//! Frames and utterances as tokens: the one place where layout version 1 meets the vocabulary.
//!
//! A frame is, for every segment, the id of its marker and, if its text is not empty, the tokens of one space and the
//! text. A sample is the frame, the tokens of one space and the utterance, and [`Marker::End`]. Text never becomes a
//! marker: special tokens inside a text are tokenized as plain text.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use stride_firmware_config::capacity;
use stride_firmware_config::frame::{Marker, StepFrame};
use stride_firmware_config::level::PolicyLevel;
use tokenizers::Tokenizer;

use crate::error::{Result, TrainError};

/// Texts whose tokens are remembered; scenes and subtasks repeat, so a training run asks mostly for these.
const CACHE_LIMIT: usize = 200_000;

/// One training sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The level that speaks.
    pub level: PolicyLevel,
    /// Frame, utterance and end marker.
    pub tokens: Vec<u32>,
    /// How many of the tokens are the frame's.
    pub frame_len: usize,
    /// How many of these are the frame's head: scene and observation, which the calls of one step share.
    pub head_len: usize,
    /// Weight of the utterance's tokens in the loss, beside that of the level; 1 in behaviour cloning. The frame's tokens do
    /// not have it: how good an utterance was says nothing about the frame.
    pub weight: f32,
}

impl Sample {
    /// Tokens of the head.
    #[must_use]
    pub fn head(&self) -> &[u32] {
        &self.tokens[..self.head_len]
    }
}

/// A vocabulary that knows the markers of layout version 1, and how much of a frame its policy reads.
#[derive(Debug)]
pub struct FrameTokenizer {
    tokenizer: Tokenizer,
    /// Ids of [`Marker::ALL`], in that order.
    markers: [u32; Marker::ALL.len()],
    /// Issued subtasks that the policy reads by name.
    completed: usize,
    cache: Mutex<HashMap<String, Arc<[u32]>>>,
}

impl FrameTokenizer {
    /// Wraps a vocabulary.
    ///
    /// # Errors
    /// When a marker is missing from it.
    pub fn new(mut tokenizer: Tokenizer) -> Result<Self> {
        tokenizer.set_encode_special_tokens(true);
        let mut markers = [0; Marker::ALL.len()];
        for (id, marker) in markers.iter_mut().zip(Marker::ALL) {
            *id = tokenizer.token_to_id(marker.token()).ok_or_else(|| {
                TrainError::Tokenizer(format!("the vocabulary has no {}", marker.token()))
            })?;
        }
        Ok(Self {
            tokenizer,
            markers,
            completed: capacity::COMPLETED,
            cache: Mutex::default(),
        })
    }

    /// The same for a policy that reads at most `completed` issued subtasks by name; older ones are counted.
    #[must_use]
    pub fn reading(self, completed: usize) -> Self {
        Self { completed, ..self }
    }

    /// Issued subtasks that the policy reads by name.
    #[must_use]
    pub const fn completed(&self) -> usize {
        self.completed
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// When the file cannot be read, is no tokenizer, or lacks a marker.
    pub fn from_file(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(TrainError::io(path))?;
        let tokenizer = Tokenizer::from_bytes(bytes)
            .map_err(|error| TrainError::Tokenizer(format!("{}: {error}", path.display())))?;
        Self::new(tokenizer)
    }

    /// The vocabulary as `tokenizer.json`.
    ///
    /// # Errors
    /// When it cannot be serialized.
    pub fn to_json(&self) -> Result<String> {
        self.tokenizer
            .to_string(true)
            .map_err(|error| TrainError::Tokenizer(error.to_string()))
    }

    /// Tokens in the vocabulary, markers included.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// The id of a marker.
    #[must_use]
    pub fn marker(&self, marker: Marker) -> u32 {
        let index = Marker::ALL
            .iter()
            .position(|other| *other == marker)
            .expect("Marker::ALL lists every marker");
        self.markers[index]
    }

    /// Tokens of a segment's text or an utterance: one space, then the text; none for an empty text.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn text(&self, text: &str) -> Result<Arc<[u32]>> {
        if text.is_empty() {
            return Ok(Arc::new([]));
        }
        // A poisoned cache is still a cache: entries are inserted whole.
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = cache.get(text) {
            return Ok(Arc::clone(tokens));
        }
        let encoding = self
            .tokenizer
            .encode_fast(format!(" {text}"), false)
            .map_err(|error| TrainError::Tokenizer(error.to_string()))?;
        let tokens: Arc<[u32]> = encoding.get_ids().into();
        if cache.len() >= CACHE_LIMIT {
            cache.clear();
        }
        cache.insert(text.to_owned(), Arc::clone(&tokens));
        Ok(tokens)
    }

    /// Tokens of a frame.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn frame(&self, frame: &StepFrame<'_>) -> Result<Vec<u32>> {
        let mut tokens = Vec::new();
        let mut failure = None;
        frame.segments_within(self.completed, |segment| {
            tokens.push(self.marker(segment.marker));
            match self.text(segment.text) {
                Ok(text) => tokens.extend_from_slice(&text),
                Err(error) => failure = Some(error),
            }
        });
        failure.map_or(Ok(tokens), Err)
    }

    /// Tokens of a frame, its utterance and the end marker.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn sample(&self, frame: &StepFrame<'_>, utterance: &str) -> Result<Sample> {
        let mut tokens = self.frame(frame)?;
        let frame_len = tokens.len();
        let observation = self.marker(Marker::Observation);
        let head_len = tokens
            .iter()
            .position(|token| *token == observation)
            .map_or(Ok(0), |at| {
                self.text(frame.observation())
                    .map(|text| at + 1 + text.len())
            })?;
        tokens.extend_from_slice(&self.text(utterance)?);
        tokens.push(self.marker(Marker::End));
        Ok(Sample {
            level: frame.level(),
            tokens,
            frame_len,
            head_len,
            weight: 1.0,
        })
    }

    /// The text of generated tokens, without markers and without the leading space.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        let text = self
            .tokenizer
            .decode(tokens, true)
            .map_err(|error| TrainError::Tokenizer(error.to_string()))?;
        Ok(text.strip_prefix(' ').unwrap_or(&text).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn tokenizer() -> FrameTokenizer {
        let transitions: Vec<_> = (0..200).map(testing::transition).collect();
        FrameTokenizer::new(crate::tokenizer::train(&transitions, 400).unwrap()).unwrap()
    }

    #[test]
    fn markers_have_the_first_ids_and_texts_never_become_markers() {
        let tokenizer = tokenizer();
        for (id, marker) in Marker::ALL.into_iter().enumerate() {
            assert_eq!(tokenizer.marker(marker) as usize, id);
        }
        let hostile = tokenizer.text("a <|end|> b<|low|>").unwrap();
        assert!(hostile.iter().all(|id| *id as usize >= Marker::ALL.len()));
        assert_eq!(tokenizer.decode(&hostile).unwrap(), "a <|end|> b<|low|>");
    }

    #[test]
    fn a_sample_is_frame_then_utterance_then_end() {
        let tokenizer = tokenizer();
        let transition = testing::transition(7);
        let sample = tokenizer
            .sample(&transition.state.as_frame(), &transition.utterance)
            .unwrap();
        assert_eq!(sample.tokens[0], tokenizer.marker(Marker::Begin));
        assert_eq!(
            sample.tokens[sample.frame_len - 1],
            tokenizer.marker(Marker::Low)
        );
        assert_eq!(
            *sample.tokens.last().unwrap(),
            tokenizer.marker(Marker::End)
        );
        let said = &sample.tokens[sample.frame_len..sample.tokens.len() - 1];
        assert_eq!(tokenizer.decode(said).unwrap(), transition.utterance);
    }

    #[test]
    fn training_is_deterministic_and_survives_json() {
        let (first, second) = (tokenizer(), tokenizer());
        assert_eq!(first.to_json().unwrap(), second.to_json().unwrap());
        let reread = Tokenizer::from_bytes(first.to_json().unwrap()).unwrap();
        let reread = FrameTokenizer::new(reread).unwrap();
        for text in ["go to shelf 27; True", "ünïcödé <|end|>", "a  b\tc"] {
            assert_eq!(first.text(text).unwrap(), reread.text(text).unwrap());
            assert_eq!(first.decode(&first.text(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn frequent_numbers_become_one_token() {
        assert_eq!(tokenizer().text("27").unwrap().len(), 1);
    }
}
