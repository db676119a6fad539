//! One text on its way through its grammar.

use llguidance::Matcher;

use super::compile::in_short;
use crate::error::EngineError;
use crate::native::Token;
use crate::sampling::{Choice, Picked};

/// Where in its grammar a text is.
pub(crate) struct Matching {
    matcher: Matcher,
    /// The token that ends a text.
    end: Token,
    /// What may come next; reused.
    allowed: Vec<Token>,
}

impl std::fmt::Debug for Matching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let complete = self.is_complete();
        f.debug_struct("Matching")
            .field("complete", &complete)
            .finish()
    }
}

impl Matching {
    /// # Errors
    /// [`EngineError::Grammar`] when nothing matches, or what may come first is too much to be found out.
    pub(super) fn start(matcher: Matcher, end: Token) -> Result<Self, EngineError> {
        let mut matching = Self {
            matcher,
            end,
            allowed: Vec::new(),
        };
        matching.find_allowed()?;
        Ok(matching)
    }

    /// Whether the text is whole and nothing may follow it.
    pub(crate) fn is_complete(&self) -> bool {
        self.matcher.is_stopped() && !self.matcher.is_error()
    }

    /// Chooses the next token, and goes on behind it.
    ///
    /// The first choice is made among all tokens and usually stands; only when the grammar forbids it, all that it allows are
    /// found. A draw that is repeated without what was forbidden is a draw from what is allowed.
    ///
    /// # Errors
    /// When no logit is a number, and [`EngineError::Grammar`] when the grammar is too much work at this place.
    pub(crate) fn pick(
        &mut self,
        choice: &mut Choice,
        logits: &[f32],
    ) -> Result<Picked, EngineError> {
        let mut picked = choice.pick_without(logits, &[])?;
        if !self.allows(picked.token)? {
            self.find_allowed()?;
            picked = choice.pick_among(logits, &self.allowed)?;
        }
        if picked.token != self.end {
            let consumed = self.matcher.consume_token(id(picked.token));
            consumed.map_err(|error| too_much(&error.to_string()))?;
        }
        Ok(picked)
    }

    fn allows(&mut self, token: Token) -> Result<bool, EngineError> {
        let valid = self.matcher.validate_tokens(&[id(token)]);
        valid
            .map(|tokens| tokens == 1)
            .map_err(|error| too_much(&error.to_string()))
    }

    fn find_allowed(&mut self) -> Result<(), EngineError> {
        let mask = self.matcher.compute_mask().map_err(|error| {
            let error = error.to_string();
            if error.contains("NoExtensionBias") {
                let problem = "no text matches it".to_owned();
                return EngineError::Grammar { problem };
            }
            too_much(&error)
        })?;
        self.allowed.clear();
        let ids = mask.iter().filter_map(|id| i32::try_from(id).ok());
        self.allowed.extend(ids.map(Token));
        Ok(())
    }
}

fn id(token: Token) -> u32 {
    token.0.unsigned_abs()
}

fn too_much(message: &str) -> EngineError {
    let message = in_short(message);
    EngineError::Grammar {
        problem: format!("it cannot be followed any further: {message}"),
    }
}
