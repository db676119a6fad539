//! The expressions inside braces: names, attributes, quoted texts, `+` and `or`.

use super::error::GrammarError;

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 16;

/// What of an entity is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attribute {
    Name,
    Id,
    Type,
    Indefinite,
    Definite,
}

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    Text(String),
    Entity(String, Attribute),
    Sum(Vec<Expression>),
    /// The first part that is not empty.
    Or(Vec<Expression>),
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, GrammarError> {
        let mut reader = Reader { rest: text };
        let parsed = reader.either(0);
        match parsed {
            Some(expression) if reader.rest.trim().is_empty() => Ok(expression),
            _ => Err(GrammarError::Expression {
                expression: text.to_owned(),
                rest: reader.rest.to_owned(),
            }),
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn either(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.sum(depth)?];
        while self.word("or") {
            parts.push(self.sum(depth)?);
        }
        Some(one_or(parts, Expression::Or))
    }

    fn sum(&mut self, depth: usize) -> Option<Expression> {
        let mut parts = vec![self.part(depth)?];
        while self.mark('+') {
            parts.push(self.part(depth)?);
        }
        Some(one_or(parts, Expression::Sum))
    }

    fn part(&mut self, depth: usize) -> Option<Expression> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.rest = self.rest.trim_start();
        for quote in ['\'', '"'] {
            if let Some(inner) = self.rest.strip_prefix(quote) {
                let (text, rest) = inner.split_once(quote)?;
                self.rest = rest;
                return Some(Expression::Text(text.to_owned()));
            }
        }
        if self.mark('(') {
            let inner = self.either(depth + 1)?;
            return self.mark(')').then_some(inner);
        }
        let name = self.name()?.to_owned();
        let attribute = if self.mark('.') {
            attribute(self.name()?)?
        } else {
            Attribute::Name
        };
        Some(Expression::Entity(name, attribute))
    }

    fn name(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let end = self
            .rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!name.is_empty()).then_some(name)
    }

    fn mark(&mut self, mark: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self, word: &str) -> bool {
        let ends = |rest: &&str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = self.rest.trim_start().strip_prefix(word).filter(ends);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

fn one_or(mut parts: Vec<Expression>, many: impl Fn(Vec<Expression>) -> Expression) -> Expression {
    if parts.len() == 1 {
        parts.remove(0)
    } else {
        many(parts)
    }
}

fn attribute(name: &str) -> Option<Attribute> {
    Some(match name {
        "name" => Attribute::Name,
        "id" => Attribute::Id,
        "type" => Attribute::Type,
        "indefinite" => Attribute::Indefinite,
        "definite" => Attribute::Definite,
        _ => return None,
    })
}
