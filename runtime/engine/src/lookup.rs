//! Drafts by looking up: what followed the last few tokens before.
//!
//! A progress mostly repeats the progress before it, and an action names what stands in the frame. So the tokens behind the
//! latest earlier occurrence of the last tokens are a guess at what comes next, which costs no model. Occurrences are sought in
//! what the same level said lately, then in the frame itself.

use stride_firmware_config::frame::Marker;
use stride_firmware_config::level::PolicyLevel;

use crate::native::Token;
use crate::options::Sampling;
use crate::writing::{Writer, Writing};

/// Tokens of an utterance's end that are sought, longest first.
const LONGEST_KEY: usize = 3;

/// Tokens of earlier utterances that are kept for each level.
const KEPT: usize = 512;

/// What was said lately, by level.
#[derive(Debug)]
pub(crate) struct Lookup {
    said: [Vec<Token>; PolicyLevel::ALL.len()],
    end: Token,
    longest_draft: usize,
    draft: Vec<Token>,
}

impl Lookup {
    /// The lookup that a policy's options ask for. Random draws are not drafted: they would not repeat.
    pub(crate) fn of(writer: &Writer) -> Option<Self> {
        let options = writer.options();
        let wanted = options.draft_tokens > 0 && options.sampling == Sampling::Greedy;
        let end = writer.vocabulary.marker(Marker::End);
        wanted.then(|| Self::new(options.draft_tokens as usize, end))
    }

    /// Drafts of at most so many tokens. They stop before the `end` of an utterance: nothing is decoded behind it.
    fn new(longest_draft: usize, end: Token) -> Self {
        Self {
            said: std::array::from_fn(|_| Vec::with_capacity(KEPT)),
            end,
            longest_draft,
            draft: Vec::with_capacity(longest_draft),
        }
    }

    /// Remembers an utterance.
    pub(crate) fn remember(&mut self, writing: &Writing) {
        // With the marker that asked for it.
        let said = &writing.tokens()[writing.prompt().saturating_sub(1)..];
        self.remember_said(writing.level(), said);
    }

    fn remember_said(&mut self, level: PolicyLevel, said: &[Token]) {
        let kept = &mut self.said[level as usize];
        let added = said.len() + 1;
        if added > KEPT {
            return;
        }
        let over = (kept.len() + added).saturating_sub(KEPT);
        kept.drain(..over);
        kept.extend_from_slice(said);
        kept.push(self.end);
    }

    /// A guess at what follows. Empty: no idea.
    pub(crate) fn draft(&mut self, writing: &Writing) -> &[Token] {
        self.draft_behind(writing.level(), writing.tokens(), writing.prompt())
    }

    /// A guess at what follows `tokens`, a frame of `prompt` tokens and an utterance so far.
    fn draft_behind(&mut self, level: PolicyLevel, tokens: &[Token], prompt: usize) -> &[Token] {
        self.draft.clear();
        // The marker that asks for the utterance belongs to the key, nothing before it.
        let longest = LONGEST_KEY.min(tokens.len() + 1 - prompt.clamp(1, tokens.len().max(1)));
        for length in (1..=longest).rev() {
            let key = &tokens[tokens.len() - length..];
            let found = behind(&self.said[level as usize], key)
                .or_else(|| behind(&tokens[..tokens.len() - 1], key).filter(|_| length > 1));
            if let Some(found) = found {
                let text = found.iter().take_while(|token| **token != self.end);
                self.draft.extend(text.take(self.longest_draft));
                break;
            }
        }
        &self.draft
    }
}

/// What stands behind the last occurrence of `key`, unless nothing does.
fn behind<'t>(text: &'t [Token], key: &[Token]) -> Option<&'t [Token]> {
    let at = text.windows(key.len()).rposition(|window| window == key)?;
    Some(&text[at + key.len()..]).filter(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: &[i32]) -> Vec<Token> {
        ids.iter().copied().map(Token).collect()
    }

    #[test]
    fn the_latest_and_longest_match_is_drafted() {
        let mut lookup = Lookup::new(3, Token(0));
        let level = PolicyLevel::Progress;
        let frame = tokens(&[5, 6, 7, 8, 9]);
        assert!(lookup.draft_behind(level, &frame, 5).is_empty());
        lookup.remember_said(level, &tokens(&[9, 1, 2, 3]));
        lookup.remember_said(level, &tokens(&[9, 1, 2, 4]));
        assert_eq!(lookup.draft_behind(level, &frame, 5), tokens(&[1, 2, 4]));
        assert!(lookup.draft_behind(PolicyLevel::Low, &frame, 5).is_empty());
        // In the middle of an utterance the frame is looked up as well.
        let going = tokens(&[5, 6, 7, 8, 9, 5, 6]);
        assert_eq!(lookup.draft_behind(level, &going, 5), tokens(&[7, 8, 9]));
        let going = tokens(&[5, 6, 7, 8, 9, 1, 2]);
        // Not beyond the end.
        assert_eq!(lookup.draft_behind(level, &going, 5), tokens(&[4]));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut lookup = Lookup::new(4, Token(0));
        for id in 0..10_000 {
            lookup.remember_said(PolicyLevel::Low, &tokens(&[1, id, id + 1]));
        }
        assert!(lookup.said[PolicyLevel::Low as usize].len() <= KEPT);
        lookup.remember_said(PolicyLevel::Low, &[Token(7); 1000]);
        assert!(lookup.said[PolicyLevel::Low as usize].len() <= KEPT);
    }
}
