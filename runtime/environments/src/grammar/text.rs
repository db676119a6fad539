//! Symbols within a text.

use super::condition::{Predicate, conjunction};
use super::error::GrammarError;
use super::expression::Expression;

/// What a symbol repeats for each match of its condition.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// `#rule#`.
    Rule(String),
    /// `o.name`.
    Value(Expression),
}

/// A part of a text.
#[derive(Debug, Clone)]
pub(super) enum Symbol {
    /// Plain text.
    Text(String),
    /// `#rule#`.
    Rule(String),
    /// `{item | condition}`, or `[{item | condition}]` when it is a list.
    Each {
        item: Item,
        given: Option<Vec<Predicate>>,
        list: bool,
    },
}

/// Splits a text into symbols. Like TextWorld, stops without a word at the first place that is none.
pub(super) fn symbols(text: &str) -> Result<Vec<Symbol>, GrammarError> {
    let mut rest = skip_start(text);
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches('\t');
        let symbol = match rest.chars().next() {
            None => return Ok(found),
            Some('[') => list(rest)?,
            Some('{') => each(rest, false)?,
            Some('#') => rule(rest).map(|(name, rest)| (Symbol::Rule(name.to_owned()), rest)),
            Some('"') => {
                let (text, after) = literal(&rest[1..]);
                after
                    .strip_prefix('"')
                    .map(|after| (Symbol::Text(text.to_owned()), after))
            }
            Some(_) => match literal(rest) {
                ("", _) => None,
                (text, after) => Some((Symbol::Text(text.to_owned()), after)),
            },
        };
        let Some((symbol, after)) = symbol else {
            return Ok(found);
        };
        found.push(symbol);
        rest = after;
    }
}

/// White space and `//` comments at the start do not belong to the text.
fn skip_start(text: &str) -> &str {
    let mut rest = text.trim_start();
    while rest.starts_with("//") {
        rest = rest.find('\n').map_or("", |end| rest[end..].trim_start());
    }
    rest
}

fn split_while(text: &str, inside: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !inside(c)).unwrap_or(text.len()))
}

fn literal(text: &str) -> (&str, &str) {
    split_while(text, |c| {
        !matches!(c, ';' | '|' | '"' | '<' | '>' | '[' | ']' | '#' | '{' | '}')
    })
}

fn rule(text: &str) -> Option<(&str, &str)> {
    let inside = |c: char| {
        c.is_alphanumeric()
            || c.is_whitespace()
            || matches!(c, '_' | '(' | ')' | '/' | '!' | '<' | '>' | '-' | ',' | '.')
    };
    let (name, rest) = split_while(text.strip_prefix('#')?, inside);
    if name.is_empty() {
        return None;
    }
    Some((name, rest.strip_prefix('#')?))
}

type Found<'a> = Result<Option<(Symbol, &'a str)>, GrammarError>;

fn list(text: &str) -> Found<'_> {
    let Some(inner) = text
        .strip_prefix('[')
        .filter(|inner| inner.starts_with('{'))
    else {
        return Ok(None);
    };
    let Some((symbol, rest)) = each(inner, true)? else {
        return Ok(None);
    };
    Ok(rest.strip_prefix(']').map(|rest| (symbol, rest)))
}

fn each(text: &str, list: bool) -> Found<'_> {
    let Some(inner) = text.strip_prefix('{') else {
        return Ok(None);
    };
    let (item, rest) = match rule(inner) {
        Some((name, rest)) => (Item::Rule(name.to_owned()), rest),
        None => {
            let (statement, rest) = split_while(inner, |c| {
                !matches!(c, '|' | '[' | ']' | '{' | '}' | '\n' | '<' | '>')
            });
            if statement.is_empty() {
                return Ok(None);
            }
            (Item::Value(Expression::parse(statement)?), rest)
        }
    };
    let (given, rest) = match rest.trim_start().strip_prefix('|') {
        None => (None, rest),
        Some(rest) => {
            let (given, rest) = split_while(rest.trim_start(), |c| {
                !matches!(c, ';' | '|' | '{' | '}' | '\n' | '[' | ']' | '#')
            });
            (Some(conjunction(given)?), rest)
        }
    };
    Ok(rest
        .strip_prefix('}')
        .map(|rest| (Symbol::Each { item, given, list }, rest)))
}
