//! Texts for people: what a broken world or policy says, and why something failed.

use std::error::Error;

use stride_firmware_config::capacity;
use stride_firmware_config::text::{BoundedText, Overflow};

/// A text as the largest frame would show it: what a broken world or policy says has no length of its own accord.
#[must_use]
pub fn bounded(text: &str) -> String {
    let mut bounded = BoundedText::<{ capacity::OBSERVATION }>::new();
    // Cutting never refuses.
    let _ = bounded.set(text.trim(), Overflow::Cut);
    bounded.as_str().to_owned()
}

/// An error and what caused it, in one line; a cause whose text the line already holds is not said twice.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    text
}
