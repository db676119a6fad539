//! What a policy would see and think: for comparisons with the trainer, for budgets, for tests.

use stride_firmware_config::frame::StepFrame;

use crate::error::EngineError;
use crate::policy::LlamaPolicy;

impl LlamaPolicy {
    /// The token ids of a frame, as the next call with it would feed them.
    pub fn frame_tokens(&mut self, frame: &StepFrame<'_>) -> Vec<i32> {
        let mut tokens = Vec::new();
        self.writer.vocabulary.push_frame(frame, &mut tokens);
        tokens.into_iter().map(|token| token.0).collect()
    }

    /// The token ids of plain text (special tokens off, nothing added).
    #[must_use]
    pub fn text_tokens(&self, text: &str) -> Vec<i32> {
        let mut tokens = Vec::new();
        self.writer.vocabulary.push_text(text, &mut tokens);
        tokens.into_iter().map(|token| token.0).collect()
    }

    /// The logits behind a frame: of the first token of its utterance.
    ///
    /// # Errors
    /// As [`LlamaPolicy::answer`], except that no room is kept for the utterance.
    pub fn logits(&mut self, frame: &StepFrame<'_>) -> Result<Vec<f32>, EngineError> {
        let mut tokens = Vec::new();
        self.writer.vocabulary.push_frame(frame, &mut tokens);
        self.writer.check_room(frame.level(), tokens.len(), 0)?;
        Ok(self.sequence.logits_after(&tokens)?.to_vec())
    }
}
