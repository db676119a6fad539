//! What a low-level policy says: `action; True` or `action; False`.

/// A parsed low-level utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LowUtterance<'a> {
    /// The action, trimmed.
    pub action: &'a str,
    /// The flag: this action finishes the subtask.
    pub finished: bool,
}

/// Why a low-level utterance was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing stands before the semicolon.
    #[error("no action before the semicolon")]
    NoAction,
    /// There is no semicolon.
    #[error("no `; True` or `; False` after the action")]
    NoFlag,
    /// Something else than true or false stands behind the first semicolon.
    #[error("the flag is neither True nor False")]
    BadFlag,
}

/// Parses the shortest text up to the first `;`, then optional spaces, then true or false in any case
/// (method section 4). Spaces around the whole are allowed; a line break before the flag is not,
/// and what follows the flag is ignored.
///
/// # Errors
/// [`Malformed`] says which part is missing; nothing is guessed.
pub fn parse_low(text: &str) -> Result<LowUtterance<'_>, Malformed> {
    let (action, rest) = text
        .trim_start_matches(' ')
        .split_once(';')
        .ok_or(Malformed::NoFlag)?;
    if action.starts_with(['\n', '\r']) || action.trim().is_empty() {
        return Err(Malformed::NoAction);
    }
    let rest = rest.trim_start_matches(' ');
    let word_end = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    let finished = match &rest[..word_end] {
        word if word.eq_ignore_ascii_case("true") => true,
        word if word.eq_ignore_ascii_case("false") => false,
        _ => return Err(Malformed::BadFlag),
    };
    Ok(LowUtterance {
        action: action.trim(),
        finished,
    })
}

/// The text of a low-level utterance.
#[must_use]
pub fn format_low(action: &str, finished: bool) -> String {
    format!("{action}; {}", if finished { "True" } else { "False" })
}

/// A high-level or progress utterance as it is stored: one line, trimmed, with an empty `|| [Checked: ]`
/// tail or a dangling `||` removed (method section 6, B10: normalised once, used everywhere).
#[must_use]
pub fn normalise(text: &str) -> &str {
    let line = text.trim().lines().next().unwrap_or("").trim_end();
    let Some((sentence, tail)) = line.split_once("||") else {
        return line;
    };
    let tail = tail.trim();
    let empty = tail.is_empty()
        || tail
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .and_then(|inner| inner.split_once(':'))
            .is_some_and(|(_, items)| items.trim().is_empty());
    if empty { sentence.trim_end() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_forms_of_the_method() {
        let ok = |text, action, finished| {
            assert_eq!(parse_low(text), Ok(LowUtterance { action, finished }));
        };
        ok("go to desk 1; True", "go to desk 1", true);
        ok("go to desk 1 ;false", "go to desk 1", false);
        ok(" go to desk 1; FALSE", "go to desk 1", false);
        ok("a; True; False", "a", true);
        ok("a; true and more", "a", true);
    }

    #[test]
    fn refuses_what_does_not_match() {
        assert_eq!(parse_low(""), Err(Malformed::NoFlag));
        assert_eq!(parse_low("go to desk 1"), Err(Malformed::NoFlag));
        assert_eq!(parse_low("; True"), Err(Malformed::NoAction));
        assert_eq!(parse_low("\ngo; True"), Err(Malformed::NoAction));
        assert_eq!(parse_low("go; Truely"), Err(Malformed::BadFlag));
        assert_eq!(parse_low("go;\nTrue"), Err(Malformed::BadFlag));
        assert_eq!(parse_low("go;"), Err(Malformed::BadFlag));
    }

    #[test]
    fn round_trips() {
        let text = format_low("open drawer 3", true);
        assert_eq!(
            parse_low(&text),
            Ok(LowUtterance {
                action: "open drawer 3",
                finished: true
            })
        );
    }

    #[test]
    fn normalises_empty_tails() {
        assert_eq!(normalise("A jar. || [Checked: ]"), "A jar.");
        assert_eq!(normalise("A jar. ||"), "A jar.");
        assert_eq!(normalise(" A jar.\nmore"), "A jar.");
        assert_eq!(
            normalise("A jar. || [Checked: desk 1]"),
            "A jar. || [Checked: desk 1]"
        );
    }
}
