//! Texts and frames as tokens, by the `tokenizer.json` of a checkpoint: what training saw.
//!
//! A frame is, for every segment, the id of its marker and, if its text is not empty, the tokens of one space and the
//! text. Text never becomes a marker: special tokens inside a text of a frame are tokenized as plain text.

use std::path::{Path, PathBuf};

use stride_firmware_config::capacity;
use stride_firmware_config::frame::{Marker, StepFrame};
use tokenizers::Tokenizer;

/// A tokenizer that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// It cannot be read, or is no tokenizer.
    #[error("cannot use {path} as a tokenizer: {problem}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// A marker of the prompt layout is absent.
    #[error(
        "the tokenizer has no token {0}, so this is no policy that speaks the prompt layout; compare it on a text"
    )]
    Marker(&'static str),
    /// A text cannot be tokenized.
    #[error("a text cannot be tokenized: {0}")]
    Text(String),
}

/// A tokenizer.
#[derive(Debug)]
pub struct Encoder {
    tokenizer: Tokenizer,
}

impl Encoder {
    /// Reads the `tokenizer.json` at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no tokenizer.
    pub fn open(path: &Path) -> Result<Self, EncoderError> {
        let refused = |problem: String| EncoderError::Open {
            path: path.to_owned(),
            problem,
        };
        let bytes = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| refused(error.to_string()))?;
        Ok(Self { tokenizer })
    }

    /// The tokens of a whole text, with those that the tokenizer itself puts around it. Special tokens are recognized.
    ///
    /// # Errors
    ///
    /// When the tokenizer fails.
    pub fn text(&self, text: &str) -> Result<Vec<u32>, EncoderError> {
        self.encode(text, true)
    }

    /// The id of a token.
    #[must_use]
    pub fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>, EncoderError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, special)
            .map_err(|error| EncoderError::Text(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// A tokenizer that has the markers of the prompt layout.
#[derive(Debug)]
pub struct FrameEncoder {
    encoder: Encoder,
    /// In the order of [`Marker::ALL`].
    markers: [u32; Marker::ALL.len()],
    /// Issued subtasks that the policy reads by name.
    completed: usize,
}

impl FrameEncoder {
    /// # Errors
    ///
    /// When a marker is no token.
    pub fn new(mut encoder: Encoder) -> Result<Self, EncoderError> {
        encoder.tokenizer.set_encode_special_tokens(true);
        let mut markers = [0; Marker::ALL.len()];
        for (id, marker) in markers.iter_mut().zip(Marker::ALL) {
            let token = marker.token();
            *id = encoder.id(token).ok_or(EncoderError::Marker(token))?;
        }
        Ok(Self {
            encoder,
            markers,
            completed: capacity::COMPLETED,
        })
    }

    /// The same for a policy that reads at most `completed` issued subtasks by name; older ones are counted.
    #[must_use]
    pub fn reading(self, completed: usize) -> Self {
        Self { completed, ..self }
    }

    /// The id of a marker.
    #[must_use]
    pub const fn marker(&self, marker: Marker) -> u32 {
        // `Marker::ALL` is in the order of declaration.
        self.markers[marker as usize]
    }

    /// The tokens of a frame.
    ///
    /// # Errors
    ///
    /// When the tokenizer fails.
    pub fn frame(&self, frame: &StepFrame<'_>) -> Result<Vec<u32>, EncoderError> {
        let mut tokens = Vec::new();
        let mut failure = None;
        frame.segments_within(self.completed, |segment| {
            tokens.push(self.marker(segment.marker));
            match self.spaced(segment.text) {
                Ok(text) => tokens.extend(text),
                Err(error) => failure = Some(error),
            }
        });
        failure.map_or(Ok(tokens), Err)
    }

    /// The tokens of an utterance and the marker that ends it.
    ///
    /// # Errors
    ///
    /// When the tokenizer fails.
    pub fn utterance(&self, text: &str) -> Result<Vec<u32>, EncoderError> {
        let mut tokens = self.spaced(text)?;
        tokens.push(self.marker(Marker::End));
        Ok(tokens)
    }

    /// The text of the tokens of an utterance.
    ///
    /// # Errors
    ///
    /// When the tokenizer fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, EncoderError> {
        let text = self
            .encoder
            .tokenizer
            .decode(tokens, true)
            .map_err(|error| EncoderError::Text(error.to_string()))?;
        Ok(text.strip_prefix(' ').unwrap_or(&text).to_owned())
    }

    fn spaced(&self, text: &str) -> Result<Vec<u32>, EncoderError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        self.encoder.encode(&format!(" {text}"), false)
    }
}
