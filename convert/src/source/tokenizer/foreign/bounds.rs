//! What the crate `tokenizers` is not given: it allocates what a file claims, and applies every part of a pipeline to what
//! the one before has made.

use serde_json::Value;

use super::unigram::CharacterMap;
use super::vocabulary::base64;
use crate::source::TokenizerProblem;
use crate::source::tokenizer::raw::RawTokenizer;

/// Added tokens at most; each is looked for in every text of the corpus, which grows with them.
const MOST_ADDED: usize = 1 << 14;
/// Expressions at most: each may take the 10 MB that its library allows.
const MOST_EXPRESSIONS: usize = 8;
/// Bytes of an expression at most.
const MOST_EXPRESSION: usize = 4096;
/// How many times as long all parts together may make a text.
const MOST_GROWTH: usize = 1024;

/// Refuses parts that would take memory or time beyond all proportion to the file.
pub(super) fn check(raw: &RawTokenizer) -> Result<(), TokenizerProblem> {
    if raw.added_tokens.len() > MOST_ADDED {
        let count = raw.added_tokens.len();
        return refuse(format!(
            "it has {count} added tokens; {MOST_ADDED} are allowed"
        ));
    }
    let mut sums = Sums {
        growth: 1,
        expressions: 0,
    };
    for part in [
        &raw.normalizer,
        &raw.pre_tokenizer,
        &raw.post_processor,
        &raw.decoder,
    ] {
        sums.add(part)?;
    }
    if sums.growth > MOST_GROWTH {
        return refuse(format!(
            "its parts may make a text {} times as long; {MOST_GROWTH} times are allowed",
            sums.growth
        ));
    }
    if sums.expressions > MOST_EXPRESSIONS {
        return refuse(format!(
            "it has {} regular expressions; {MOST_EXPRESSIONS} are allowed",
            sums.expressions
        ));
    }
    Ok(())
}

/// What the parts of a pipeline come to.
struct Sums {
    growth: usize,
    expressions: usize,
}

impl Sums {
    /// Adds a part and those inside it. The depth is the parser's, which is bounded.
    fn add(&mut self, part: &Value) -> Result<(), TokenizerProblem> {
        match part {
            Value::Array(parts) => parts.iter().try_for_each(|part| self.add(part)),
            Value::Object(fields) => {
                let bytes = |name: &str| fields.get(name).and_then(Value::as_str).map(str::len);
                let kind = fields.get("type").and_then(Value::as_str);
                let factor = match kind {
                    // A byte beyond ASCII becomes a letter of two.
                    Some("ByteLevel") => 2,
                    Some("Replace") => 1 + bytes("content").unwrap_or(0),
                    Some("Prepend") => 1 + bytes("prepend").unwrap_or(0),
                    _ => 1,
                };
                // A template may hold the text several times.
                let times = ["single", "pair"].map(|name| {
                    let pieces = fields.get(name).and_then(Value::as_array);
                    pieces.map_or(1, Vec::len)
                });
                let factor = factor.max(times[0]).max(times[1]).max(1);
                self.growth = self.growth.saturating_mul(factor);
                if let Some(expression) = fields.get("Regex").and_then(Value::as_str) {
                    self.expressions += 1;
                    if expression.len() > MOST_EXPRESSION {
                        return refuse(format!(
                            "a regular expression has {} bytes; {MOST_EXPRESSION} are allowed",
                            expression.len()
                        ));
                    }
                }
                if let Some(map) = fields.get("precompiled_charsmap") {
                    let bytes = map.as_str().and_then(base64);
                    let read = bytes.as_deref().map(CharacterMap::parse);
                    if !matches!(read, Some(Ok(_))) {
                        return refuse("its precompiled_charsmap is damaged".into());
                    }
                }
                fields.values().try_for_each(|part| self.add(part))
            }
            _ => Ok(()),
        }
    }
}

fn refuse<T>(reason: String) -> Result<T, TokenizerProblem> {
    Err(TokenizerProblem::Rejected { reason })
}
