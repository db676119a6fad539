//! From what a client sent to what decides about tokens.

use std::sync::{Arc, OnceLock};

use llama_cpp_2::token_type::LlamaTokenAttr;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory, TokenParser};

use super::{Grammar, Matching, gbnf};
use crate::error::EngineError;
use crate::native::{Model, Token};

/// Objects and lists within each other in a schema at most.
const NESTING: usize = 64;

/// Ways to go on that are open at one place of a text at most: what a token costs grows with their square and more.
const WAYS: usize = 600;

/// Characters of a message of the grammar engine at most.
const MESSAGE: usize = 500;

/// Compiles grammars for one vocabulary. What all of them share is made when the first comes.
pub(crate) struct Grammars {
    model: Arc<Model>,
    /// The token that ends a text.
    end: Token,
    factory: OnceLock<Result<ParserFactory, String>>,
}

impl std::fmt::Debug for Grammars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let made = self.factory.get().is_some();
        f.debug_struct("Grammars").field("made", &made).finish()
    }
}

impl Grammars {
    pub(crate) fn new(model: Arc<Model>, end: Token) -> Self {
        Self {
            model,
            end,
            factory: OnceLock::new(),
        }
    }

    /// The start of a text under a grammar.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] when it is too large, is malformed, cannot be followed or has no text that matches it.
    pub(crate) fn compile(&self, grammar: &Grammar) -> Result<Matching, EngineError> {
        let made = self
            .factory
            .get_or_init(|| factory(&self.words(), self.end));
        let parser = made.as_ref().map_err(String::clone);
        let parser = parser.and_then(|made| parser_of(made, grammar));
        let parser = parser.map_err(|problem| EngineError::Grammar { problem })?;
        Matching::start(Matcher::new(Ok(parser)), self.end)
    }

    /// The bytes of every token; a token that is no text is marked as such.
    fn words(&self) -> Vec<Vec<u8>> {
        let vocabulary = self.model.vocabulary();
        let no_text = LlamaTokenAttr::Control | LlamaTokenAttr::Unknown | LlamaTokenAttr::Unused;
        let word = |id| {
            let mut bytes = Vec::new();
            if vocabulary.attr(Token(id)).intersects(no_text) {
                bytes.push(TokTrie::SPECIAL_TOKEN_MARKER);
            }
            vocabulary.token_to_piece_into(Token(id), &mut bytes, true, None);
            bytes
        };
        (0..vocabulary.n_tokens()).map(word).collect()
    }
}

/// What compiles grammars for a vocabulary.
fn factory(words: &[Vec<u8>], end: Token) -> Result<ParserFactory, String> {
    let count = u32::try_from(words.len()).map_err(|error| error.to_string())?;
    let trie = TokTrie::from(&TokRxInfo::new(count, end.0.unsigned_abs()), words);
    let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
    let factory = ParserFactory::new_simple(&environment);
    let mut factory = factory.map_err(|error| error.to_string())?;
    factory.quiet();
    let limits = factory.limits_mut();
    limits.verbose_errors = false;
    limits.max_items_in_row = WAYS;
    // A class of characters allows most words, and each is followed letter by letter.
    limits.step_max_items = limits.step_max_items.max(8 * words.len());
    Ok(factory)
}

fn parser_of(factory: &ParserFactory, grammar: &Grammar) -> Result<TokenParser, String> {
    let bytes = grammar.source().len();
    if bytes > Grammar::MOST_BYTES {
        let most = Grammar::MOST_BYTES;
        return Err(format!("{bytes} bytes are more than {most}"));
    }
    let grammar = match grammar {
        Grammar::Gbnf(source) => TopLevelGrammar::from_lark(gbnf::to_lark(source)?),
        Grammar::JsonSchema(source) => TopLevelGrammar::from_json_schema(schema(source)?),
    };
    let parser = factory.create_parser(grammar);
    parser.map_err(|error| in_short(&format!("{error:#}")))
}

/// A schema that llguidance may see, told to write no more space than JSON usually has.
fn schema(source: &str) -> Result<serde_json::Value, String> {
    let mut schema: serde_json::Value =
        serde_json::from_str(source).map_err(|error| format!("the schema is no JSON: {error}"))?;
    if !schema.is_object() {
        return Err("a schema is an object".into());
    }
    if depth(&schema) > NESTING {
        return Err(format!("more than {NESTING} levels in the schema"));
    }
    let options = JsonCompileOptions {
        whitespace_flexible: false,
        ..JsonCompileOptions::default()
    };
    options.apply_to(&mut schema);
    Ok(schema)
}

/// Levels of a value that was read, which are bounded by its reader.
fn depth(value: &serde_json::Value) -> usize {
    let inner = match value {
        serde_json::Value::Array(items) => items.iter().map(depth).max(),
        serde_json::Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    inner.unwrap_or(0) + 1
}

/// What the grammar engine says, without what it appends for its developers.
pub(super) fn in_short(message: &str) -> String {
    let message = message.split("\n<").next().unwrap_or_default();
    message.trim().chars().take(MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTERS: [&str; 7] = ["a", "b", "ab", "ba", "aab", "bbb", ""];

    /// Every text of these letters up to this length.
    fn texts(longest: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..longest {
            last = last
                .iter()
                .flat_map(|text| ["a", "b"].map(|letter| format!("{text}{letter}")))
                .collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    /// Whether a grammar takes a text in these tokens, and its end behind it.
    fn takes(parser: &TokenParser, gbnf: &str, tokens: &[u32]) -> bool {
        let mut matcher = Matcher::new(Ok(parser.deep_clone()));
        let end = LETTERS.len() as u32 - 1;
        let all: Vec<u32> = tokens.iter().copied().chain([end]).collect();
        let valid = matcher.validate_tokens(&all).unwrap() == all.len();
        // Step by step it is the same, by what may come next.
        let mut stepped = true;
        for token in all {
            let mask = (!matcher.is_stopped())
                .then(|| matcher.compute_mask().ok())
                .flatten();
            let whole = token == end && matcher.is_stopped() && !matcher.is_error();
            stepped = whole || mask.is_some_and(|mask| mask.is_allowed(token));
            if !stepped || token == end || matcher.consume_token(token).is_err() {
                break;
            }
        }
        assert_eq!(valid, stepped, "{gbnf} {tokens:?}");
        valid
    }

    /// A text in the longest tokens there are, and letter by letter.
    fn tokens(text: &str) -> [Vec<u32>; 2] {
        let letter = |c: char| u32::from(c == 'b');
        let mut long = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let fits = |at: &usize| rest.starts_with(LETTERS[*at]);
            let longest = (0..6)
                .filter(fits)
                .max_by_key(|at| LETTERS[*at].len())
                .unwrap();
            long.push(longest as u32);
            rest = &rest[LETTERS[longest].len()..];
        }
        [long, text.chars().map(letter).collect()]
    }

    #[test]
    fn a_grammar_takes_its_texts_and_no_others() {
        type Is = fn(&str) -> bool;
        let words = LETTERS.map(|word| match word {
            "" => b"\xff<end>".to_vec(),
            word => word.as_bytes().to_vec(),
        });
        let factory = factory(&words, Token(6)).unwrap();
        let cases: [(&str, Is); 13] = [
            ("root ::= \"ab\" | \"a\"", |text| {
                ["ab", "a"].contains(&text)
            }),
            // A text that begins another, in front of what decides.
            ("root ::= (\"a\" | \"ab\") \"ba\"", |text| {
                ["aba", "abba"].contains(&text)
            }),
            ("root ::= \"a\"* \"aab\"", |text| {
                text.ends_with("aab") && text.matches('b').count() == 1
            }),
            ("root ::= \"a\" root \"b\" | \"\"", |text| {
                let half = text.len() / 2;
                text == "a".repeat(half) + &"b".repeat(half)
            }),
            (
                "root ::= \"a\" root \"a\" | \"b\" root \"b\" | [ab]?",
                |text| text.chars().rev().eq(text.chars()),
            ),
            ("root ::= root \"a\" | \"b\"", |text| {
                text.strip_prefix('b')
                    .is_some_and(|rest| !rest.contains('b'))
            }),
            ("root ::= root root | \"ab\" | empty\nempty ::= ", |text| {
                text == "ab".repeat(text.len() / 2)
            }),
            ("root ::= ([^b] [b]){2,3}", |text| {
                ["abab", "ababab"].contains(&text)
            }),
            ("root ::= .{2,} \"b\"{0,1}", |text| text.len() >= 2),
            ("root ::= (\"a\"? \"b\"?){3}", |text| pairs(text) <= 3),
            // Every text in as many ways as there are.
            ("root ::= (\"a\" | \"b\" | \"ab\" | root root)*", |_| true),
            (
                "root ::= s\ns ::= \"a\" s \"b\" | \"a\" s \"a\" | \"a\"",
                |text| {
                    text.len() % 2 == 1 && text[..text.len().div_ceil(2)].bytes().all(|b| b == b'a')
                },
            ),
            ("root ::= \"\"", str::is_empty),
        ];
        for (gbnf, is) in cases {
            let parser = parser_of(&factory, &Grammar::Gbnf(gbnf.to_owned())).unwrap();
            let mut taken = 0;
            for text in texts(7) {
                for tokens in tokens(&text) {
                    assert_eq!(takes(&parser, gbnf, &tokens), is(&text), "{gbnf}: {text}");
                }
                taken += usize::from(is(&text));
            }
            assert!(taken > 0, "{gbnf}");
        }
    }

    /// How many times `a?b?` it takes at least to say a text.
    fn pairs(text: &str) -> usize {
        let mut count = 0;
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('a').unwrap_or(rest);
            rest = rest.strip_prefix('b').unwrap_or(rest);
            count += 1;
        }
        count
    }
}
