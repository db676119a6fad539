//! UTF-8 text of bounded size.
//!
//! A full buffer is never a surprise: the caller says with an [`Overflow`] what happens, and learns
//! from [`Kept`] what did happen.
//!
//! ```
//! use stride_firmware_config::text::{BoundedText, Overflow};
//!
//! let mut progress = BoundedText::<24>::new();
//! let kept = progress.set("checked drawer 1 and drawer 2", Overflow::Cut)?;
//! assert_eq!(progress, "checked drawer 1 [cut]");
//! assert_eq!((kept.kept, kept.dropped), (16, 13));
//! assert!(progress.set("checked drawer 1 and drawer 2", Overflow::Refuse).is_err());
//! # Ok::<(), stride_firmware_config::text::TextOverflow>(())
//! ```

use core::fmt;
use core::ops::Deref;

use heapless::String;
use serde::{Deserialize, Serialize};

/// What to do with text that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    /// Keep the old content and return the error [`TextOverflow`].
    Refuse,
    /// Keep the head, cut at a character and (where there is one) at a word boundary, and end it with
    /// [`CUT_MARK`], so that the policy that reads it knows that something is missing.
    Cut,
}

/// Ends a text that was cut. Shorter buffers than this hold the cut text without the mark.
pub const CUT_MARK: &str = " [cut]";

/// How much of a text was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Bytes of the offered text that were stored (without the mark).
    pub kept: usize,
    /// Bytes of the offered text that were not.
    pub dropped: usize,
}

/// The text is longer than the buffer, and the policy was to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "text of {len} bytes does not fit a buffer of {limit} bytes; shorten it or raise the capacity in the profile"
)]
pub struct TextOverflow {
    /// Length of the refused text in bytes.
    pub len: usize,
    /// Capacity in force, in bytes.
    pub limit: usize,
}

/// UTF-8 text of at most `N` bytes, stored inline.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoundedText<const N: usize>(String<N>);

impl<const N: usize> BoundedText<N> {
    /// Bytes of the longest text.
    pub const CAPACITY: usize = N;

    /// An empty text.
    #[must_use]
    pub const fn new() -> Self {
        Self(String::new())
    }

    /// Replaces the content, within the type's own capacity `N`.
    ///
    /// # Errors
    /// [`TextOverflow`] when the text is too long and `overflow` is [`Overflow::Refuse`]; the content is then unchanged.
    pub fn set(&mut self, text: &str, overflow: Overflow) -> Result<Kept, TextOverflow> {
        self.set_within(text, N, overflow)
    }

    /// Replaces the content, within the smaller of `N` and `limit` bytes (a profile may allow less than the build does).
    ///
    /// # Errors
    /// As [`BoundedText::set`].
    pub fn set_within(
        &mut self,
        text: &str,
        limit: usize,
        overflow: Overflow,
    ) -> Result<Kept, TextOverflow> {
        let limit = limit.min(N);
        if text.len() <= limit {
            self.0.clear();
            self.push(text);
            return Ok(Kept {
                kept: text.len(),
                dropped: 0,
            });
        }
        if overflow == Overflow::Refuse {
            return Err(TextOverflow {
                len: text.len(),
                limit,
            });
        }
        let mark = if limit > 2 * CUT_MARK.len() {
            CUT_MARK
        } else {
            ""
        };
        let head = cut_to(text, limit - mark.len());
        self.0.clear();
        self.push(head);
        self.push(mark);
        Ok(Kept {
            kept: head.len(),
            dropped: text.len() - head.len(),
        })
    }

    /// Empties the text.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Appends what was measured to fit; a piece that does not is left out whole, which `set_within` rules out.
    fn push(&mut self, piece: &str) {
        let fitted = self.0.push_str(piece);
        debug_assert!(fitted.is_ok(), "set_within measured the text");
    }
}

/// The longest head of `text` of at most `limit` bytes that ends at a character and, if there is
/// white space in it, at the end of a word.
#[must_use]
pub fn cut_to(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[..end];
    if text[end..].starts_with(char::is_whitespace) {
        return head.trim_end();
    }
    match head.rfind(char::is_whitespace) {
        Some(space) if !head[..space].trim_end().is_empty() => head[..space].trim_end(),
        _ => head,
    }
}

/// Refuses a text that is too long, as [`Overflow::Refuse`] does.
impl<const N: usize> TryFrom<&str> for BoundedText<N> {
    type Error = TextOverflow;

    fn try_from(text: &str) -> Result<Self, TextOverflow> {
        let mut bounded = Self::new();
        bounded.set(text, Overflow::Refuse)?;
        Ok(bounded)
    }
}

impl<const N: usize> AsRef<str> for BoundedText<N> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> PartialEq<str> for BoundedText<N> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<const N: usize> PartialEq<&str> for BoundedText<N> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<const N: usize> Deref for BoundedText<N> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> fmt::Debug for BoundedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for BoundedText<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
