//! The texts on which rules must agree with a tokenizer.

use super::vocabulary::{TokenKind, Vocabulary};

/// Code, numbers, many scripts, emoji, runs of white space, contractions, control characters; one JSON string a line.
/// Characters are those of Unicode 15 and older: libraries carry tables of different versions.
const TEXTS: &str = include_str!("corpus.jsonl");

/// Special tokens in one text.
const TOGETHER: usize = 8;

/// All texts: the committed ones, and one for every few special tokens of the vocabulary.
pub(super) fn texts(vocabulary: &Vocabulary) -> Vec<String> {
    let written = TEXTS
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let mut texts: Vec<String> = written.collect();
    let special: Vec<&str> = vocabulary
        .tokens
        .iter()
        .zip(&vocabulary.kinds)
        .filter(|(_, kind)| {
            matches!(
                kind,
                TokenKind::Control | TokenKind::UserDefined | TokenKind::Unknown
            )
        })
        .map(|(text, _)| text.as_str())
        .collect();
    for some in special.chunks(TOGETHER) {
        let surrounded = |(at, token): (usize, &&str)| match at % 4 {
            0 => format!("{token}user\n"),
            1 => format!("one {token} two"),
            2 => format!("{token}\nlines"),
            _ => format!("End.{token}"),
        };
        texts.push(some.iter().enumerate().map(surrounded).collect());
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_text_of_several_kinds() {
        let texts = texts(&Vocabulary::default());
        assert_eq!(texts.len(), TEXTS.lines().count());
        let all = texts.concat();
        assert!(all.len() > 4096);
        for needed in [
            '\0', '\t', '\r', '\u{85}', '\u{a0}', '漢', '한', 'ß', 'Ж', 'ع', 'ह', 'ก', '😀',
            '\u{301}', '9',
        ] {
            assert!(all.contains(needed), "{needed:?}");
        }
    }
}
