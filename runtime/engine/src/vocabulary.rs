//! The policy's vocabulary: markers, text to tokens, tokens to text.

use std::ffi::CStr;
use std::sync::Arc;

use llama_cpp_2::token_type::LlamaTokenAttr;
use stride_firmware_config::capacity;
use stride_firmware_config::frame::{COMPLETED_CAPACITY, LAYOUT_VERSION, Marker, StepFrame};

use crate::error::EngineError;
use crate::native::{Model, Token};

/// Metadata key of the prompt layout's version.
const LAYOUT_KEY: &str = "stride.layout.version";
/// Metadata key of the marker list.
const MARKERS_KEY: &CStr = c"stride.markers";
/// What the keys of the policy's capacities begin with.
const CAPACITY_PREFIX: &str = "stride.capacity.";

/// Tokenizes frames by the rule of layout 1.
///
/// A segment is its marker's token, then (unless its text is empty) the tokens of one space and the text. The text is
/// tokenized with special tokens switched off: `<|observation|>` inside a text stays text.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    model: Arc<Model>,
    markers: [Token; Marker::ALL.len()],
    /// Issued subtasks that the policy reads by name.
    completed: usize,
    /// Reused for the leading space.
    spaced: String,
}

impl Vocabulary {
    /// Checks that the model was trained on this layout and finds its markers.
    pub(crate) fn new(model: Arc<Model>) -> Result<Self, EngineError> {
        check_layout(&model)?;
        let mut markers = [Token(0); Marker::ALL.len()];
        for (slot, marker) in markers.iter_mut().zip(Marker::ALL) {
            *slot = find_marker(&model, marker)?;
        }
        let completed = completed(&model)?;
        Ok(Self {
            model,
            markers,
            completed,
            spaced: String::new(),
        })
    }

    /// The token of a marker.
    pub(crate) fn marker(&self, marker: Marker) -> Token {
        // `Marker::ALL` is in declaration order, which is what the cast yields.
        self.markers[marker as usize]
    }

    /// Issued subtasks that the policy reads by name.
    pub(crate) const fn completed(&self) -> usize {
        self.completed
    }

    /// Appends the tokens of a frame.
    pub(crate) fn push_frame(&mut self, frame: &StepFrame<'_>, tokens: &mut Vec<Token>) {
        frame.segments_within(self.completed, |segment| {
            tokens.push(self.marker(segment.marker));
            if !segment.text.is_empty() {
                self.push_spaced(segment.text, tokens);
            }
        });
    }

    /// Appends the tokens of one space and `text`.
    pub(crate) fn push_spaced(&mut self, text: &str, tokens: &mut Vec<Token>) {
        self.spaced.clear();
        self.spaced.push(' ');
        self.spaced.push_str(text);
        self.push_text(&self.spaced, tokens);
    }

    /// Appends the tokens of `text`, special tokens off.
    pub(crate) fn push_text(&self, text: &str, tokens: &mut Vec<Token>) {
        if !text.is_empty() {
            let vocabulary = self.model.vocabulary();
            vocabulary.tokenize_into(text.as_bytes(), tokens, false, false);
        }
    }

    /// Every token and its text; bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = (Token, String)> {
        let vocabulary = self.model.vocabulary();
        (0..vocabulary.n_tokens()).map(move |id| {
            let mut bytes = Vec::new();
            vocabulary.token_to_piece_into(Token(id), &mut bytes, true, None);
            (Token(id), String::from_utf8_lossy(&bytes).into_owned())
        })
    }

    /// Where the last word of `tokens` starts, a word of `length` bytes; at most the place of the last token.
    pub(crate) fn word_start(&self, tokens: &[Token], length: usize) -> usize {
        let mut bytes = Vec::new();
        let mut covered = 0;
        for (at, token) in tokens.iter().enumerate().rev() {
            bytes.clear();
            self.push_piece(*token, &mut bytes);
            covered += bytes.len();
            if covered >= length {
                return at;
            }
        }
        0
    }

    /// Appends the text of one token. A marker that the model said where text belongs is written out, so that it is
    /// seen.
    pub(crate) fn push_piece(&self, token: Token, bytes: &mut Vec<u8>) {
        let vocabulary = self.model.vocabulary();
        vocabulary.token_to_piece_into(token, bytes, true, None);
    }
}

fn check_layout(model: &Model) -> Result<(), EngineError> {
    let found = model
        .metadata(LAYOUT_KEY)
        .ok_or(EngineError::NotAPolicy { key: LAYOUT_KEY })?;
    if found != LAYOUT_VERSION.to_string() {
        return Err(EngineError::LayoutVersion {
            found,
            needed: LAYOUT_VERSION,
        });
    }
    let found = model
        .metadata_strings(MARKERS_KEY)
        .ok_or(EngineError::NotAPolicy {
            key: "stride.markers",
        })?;
    let needed = Marker::ALL.map(Marker::token);
    if found != needed {
        return Err(EngineError::Markers {
            found: found.join(" "),
            needed: needed.join(" "),
            layout: LAYOUT_VERSION,
        });
    }
    Ok(())
}

/// How many issued subtasks the policy reads by name; all where it does not say.
fn completed(model: &Model) -> Result<usize, EngineError> {
    let key = format!("{CAPACITY_PREFIX}{COMPLETED_CAPACITY}");
    let Some(found) = model.metadata(&key) else {
        return Ok(capacity::COMPLETED);
    };
    match found.parse() {
        Ok(number) if (1..=capacity::COMPLETED).contains(&number) => Ok(number),
        _ => Err(EngineError::Capacity {
            key,
            found,
            most: capacity::COMPLETED,
        }),
    }
}

fn find_marker(model: &Model, marker: Marker) -> Result<Token, EngineError> {
    let vocabulary = model.vocabulary();
    let text = marker.token();
    let problem = |problem| EngineError::Marker {
        marker: text,
        problem,
    };
    let mut tokens = Vec::with_capacity(8);
    vocabulary.tokenize_into(text.as_bytes(), &mut tokens, false, true);
    let &[token] = tokens.as_slice() else {
        return Err(problem("it is not one token"));
    };
    if !vocabulary.attr(token).contains(LlamaTokenAttr::Control) {
        // Otherwise the text of an observation could become a marker.
        return Err(problem("the token is not of type control"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marker_numbers_index_the_marker_list() {
        for (at, marker) in Marker::ALL.into_iter().enumerate() {
            assert_eq!(marker as usize, at);
        }
    }
}
