//! A text as it grows: whole characters, up to a stop.

use std::sync::mpsc::Sender;

use super::answer::Said;
use crate::error::EngineError;

/// What comes of a text.
#[derive(Debug)]
pub enum TextEvent {
    /// More of it.
    Piece(String),
    /// It is complete, or cannot be.
    End(Result<TextEnd, EngineError>),
}

/// A complete text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextEnd {
    /// Tokens in front of it.
    pub prompt_tokens: u32,
    /// Tokens of it, its end marker or stop included.
    pub generated_tokens: u32,
    /// It ended because it was long enough, not because it was over.
    pub capped: bool,
}

/// A text on its way to whoever asked.
#[derive(Debug)]
pub(super) struct Streaming {
    to: Sender<TextEvent>,
    stop: Vec<String>,
    /// Bytes that were handed out.
    sent: usize,
}

/// What is to become of the call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Continue,
    /// Nobody needs more of it.
    Cancel,
}

impl Streaming {
    pub(super) fn new(to: Sender<TextEvent>, stop: Vec<String>) -> Self {
        Self {
            to,
            stop: stop.into_iter().filter(|stop| !stop.is_empty()).collect(),
            sent: 0,
        }
    }

    /// Hands out what can be: whole characters that cannot be the beginning of a stop.
    pub(super) fn grow(&mut self, said: &Said<'_>) -> Next {
        if let Some(at) = self.stop_in(said.bytes) {
            return self.stop_at(said, at);
        }
        let whole = match std::str::from_utf8(said.bytes) {
            Ok(_) => said.bytes.len(),
            // What is no text at all is handed out as such; the beginning of a character waits.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => said.bytes.len(),
        };
        let longest = self.stop.iter().map(String::len).max().unwrap_or(1);
        let ready = whole.saturating_sub(longest - 1);
        self.send(said.bytes, ready)
    }

    /// Hands out the rest.
    pub(super) fn finish(mut self, said: &Said<'_>, end: Result<TextEnd, EngineError>) {
        if let Some(at) = self.stop_in(said.bytes) {
            self.stop_at(said, at);
            return;
        }
        if self.send(said.bytes, said.bytes.len()) == Next::Continue {
            // Whoever asked may be gone.
            let _ = self.to.send(TextEvent::End(end));
        }
    }

    fn stop_in(&self, bytes: &[u8]) -> Option<usize> {
        let find = |stop: &String| {
            let found = bytes.windows(stop.len());
            found
                .enumerate()
                .find_map(|(at, it)| (it == stop.as_bytes()).then_some(at))
        };
        self.stop.iter().filter_map(find).min()
    }

    fn stop_at(&mut self, said: &Said<'_>, at: usize) -> Next {
        if self.send(said.bytes, at) == Next::Continue {
            // As above.
            let _ = self.to.send(TextEvent::End(Ok(TextEnd {
                prompt_tokens: u32::try_from(said.prompt_tokens).unwrap_or(u32::MAX),
                generated_tokens: said.generated_tokens,
                capped: false,
            })));
        }
        Next::Cancel
    }

    fn send(&mut self, bytes: &[u8], until: usize) -> Next {
        let Some(new) = bytes.get(self.sent..until).filter(|new| !new.is_empty()) else {
            return Next::Continue;
        };
        // Only at the end of a character; a stop begins at one.
        let new = match std::str::from_utf8(new) {
            Err(error) if error.error_len().is_none() && until < bytes.len() => {
                &new[..error.valid_up_to()]
            }
            _ => new,
        };
        if new.is_empty() {
            return Next::Continue;
        }
        self.sent += new.len();
        let piece = String::from_utf8_lossy(new).into_owned();
        match self.to.send(TextEvent::Piece(piece)) {
            Ok(()) => Next::Continue,
            Err(_) => Next::Cancel,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What is handed out of a text that grows byte by byte, and whether it went on to its end.
    fn handed_out(text: &[u8], stop: &[&str]) -> (Vec<String>, bool) {
        let (to, from) = mpsc::channel();
        let stop = stop.iter().map(|stop| (*stop).to_owned()).collect();
        let mut streaming = Streaming::new(to, stop);
        let said = |length| Said {
            bytes: &text[..length],
            prompt_tokens: 1,
            generated_tokens: 1,
        };
        let end = TextEnd {
            prompt_tokens: 1,
            generated_tokens: 1,
            capped: true,
        };
        let stopped = (0..text.len()).any(|at| streaming.grow(&said(at)) == Next::Cancel);
        if !stopped {
            streaming.finish(&said(text.len()), Ok(end));
        }
        let mut pieces = Vec::new();
        let mut capped = false;
        for event in from.try_iter() {
            match event {
                TextEvent::Piece(piece) => pieces.push(piece),
                TextEvent::End(end) => capped = end.unwrap().capped,
            }
        }
        (pieces, capped)
    }

    #[test]
    fn characters_are_whole_and_stops_are_cut_off() {
        let (pieces, capped) = handed_out("a\u{e4}\u{1f600}b".as_bytes(), &[]);
        assert_eq!(pieces, ["a", "\u{e4}", "\u{1f600}", "b"]);
        assert!(capped);
        for stop in [&["END"][..], &["ND", "END"], &["ENDLESS", "END", ""]] {
            let (pieces, capped) = handed_out("\u{fc}ber ENEND rest".as_bytes(), stop);
            assert_eq!(pieces.concat(), "\u{fc}ber EN", "{stop:?}");
            assert!(!capped);
        }
        // The stop is the very end, or never comes.
        assert_eq!(handed_out(b"a.b.", &["b."]).0.concat(), "a.");
        assert_eq!(handed_out(b"a.b", &["b."]).0.concat(), "a.b");
        assert_eq!(handed_out(b"a\xffb", &[]).0.concat(), "a\u{fffd}b");
    }
}
