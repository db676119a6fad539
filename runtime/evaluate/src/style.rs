//! Colour, for terminals only.

use std::fmt;

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Colour {
    /// Plain text (default).
    #[default]
    Never,
    /// ANSI escapes.
    Always,
}

impl Colour {
    /// Colour when the output is a terminal and the user has not set `NO_COLOR` (<https://no-color.org>).
    #[must_use]
    pub fn auto(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if terminal && !refused {
            Self::Always
        } else {
            Self::Never
        }
    }

    /// Text in one style.
    pub fn paint<T: fmt::Display>(self, style: Style, text: T) -> Painted<T> {
        Painted {
            style: (self == Self::Always).then_some(style),
            text,
        }
    }
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// What stands out.
    Bold,
    /// What may be skipped.
    Dim,
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
    /// What was done.
    Action,
}

impl Style {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "1;32",
            Self::Bad => "1;31",
            Self::Action => "36",
        }
    }
}

/// Text with its style.
#[derive(Debug, Clone, Copy)]
pub struct Painted<T> {
    style: Option<Style>,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.style {
            Some(style) => write!(f, "\u{1b}[{}m{}\u{1b}[0m", style.code(), self.text),
            None => self.text.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_holds_no_escapes() {
        assert_eq!(Colour::Never.paint(Style::Good, "won").to_string(), "won");
        assert_eq!(
            Colour::Always.paint(Style::Good, "won").to_string(),
            "\u{1b}[1;32mwon\u{1b}[0m"
        );
        assert_eq!(Colour::auto(false), Colour::Never);
    }
}
