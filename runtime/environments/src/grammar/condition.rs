//! Conditions of the grammar: reading, and matching against the facts.
//!
//! Matching follows TextWorld: predicates in the order written, facts in the order of the names, and two
//! variables never stand for the same entity.

use super::error::GrammarError;
use crate::logic::{ObjectId, PredicateId, Relation, Symbols, TextFacts, TypeId};

/// A predicate as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Predicate {
    pub(super) name: String,
    /// Variables with their types.
    pub(super) parameters: Vec<(String, String)>,
}

/// Reads `a(x:t, y) & b(x:t)`.
pub(super) fn conjunction(text: &str) -> Result<Vec<Predicate>, GrammarError> {
    let mut rest = text;
    let mut predicates = Vec::new();
    loop {
        let Some((predicate, after)) = predicate(rest) else {
            return Err(GrammarError::Condition {
                condition: text.to_owned(),
                rest: rest.to_owned(),
            });
        };
        predicates.push(predicate);
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(predicates);
        }
        let Some(after) = rest.strip_prefix('&') else {
            return Err(GrammarError::Condition {
                condition: text.to_owned(),
                rest: rest.to_owned(),
            });
        };
        rest = after;
    }
}

fn predicate(text: &str) -> Option<(Predicate, &str)> {
    let (name, rest) = name(text)?;
    let (inner, rest) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
    let mut parameters = Vec::new();
    if !inner.trim().is_empty() {
        for part in inner.split(',') {
            let (variable, after) = name_of(part)?;
            let kind = match after.trim().strip_prefix(':') {
                Some(kind) => kind.trim(),
                None if after.trim().is_empty() => variable.trim_end_matches('\''),
                None => return None,
            };
            parameters.push((variable.to_owned(), kind.to_owned()));
        }
    }
    Some((
        Predicate {
            name: name.to_owned(),
            parameters,
        },
        rest,
    ))
}

fn name(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '/' | '!' | '-'))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn name_of(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let end = text
        .find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '\''))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A variable of the grammar: two of the same name and different types are different variables.
pub(super) type VariableId = u16;

/// The values of variables, in the order in which they were bound.
pub(super) type Scope = Vec<(VariableId, ObjectId)>;

/// A condition joined with a task.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    /// `None` where the task has no such predicate: the condition never holds.
    pub(super) parts: Option<Vec<Part>>,
}

/// One predicate of a condition.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) predicate: PredicateId,
    pub(super) denied: bool,
    pub(super) parameters: Vec<(VariableId, TypeId)>,
}

impl Condition {
    /// Visits the scopes that satisfy the condition; `true` from a visit ends the search and is returned.
    /// Each fact tried costs one of `effort`, and the search ends when nothing is left of it.
    pub(super) fn each(
        &self,
        symbols: &Symbols,
        facts: &TextFacts,
        scope: &mut Scope,
        effort: &mut usize,
        visit: &mut dyn FnMut(&Scope) -> bool,
    ) -> bool {
        self.parts
            .as_ref()
            .is_some_and(|parts| each(parts, symbols, facts, scope, effort, visit))
    }

    /// Whether the task never changes what the condition asks.
    pub(super) fn is_fixed(&self, changes: impl Fn(PredicateId) -> bool) -> bool {
        self.parts
            .iter()
            .flatten()
            .all(|part| !part.denied && !changes(part.predicate))
    }
}

fn each(
    parts: &[Part],
    symbols: &Symbols,
    facts: &TextFacts,
    scope: &mut Scope,
    effort: &mut usize,
    visit: &mut dyn FnMut(&Scope) -> bool,
) -> bool {
    let Some((part, others)) = parts.split_first() else {
        return visit(scope);
    };
    let relation = if part.denied {
        &facts.denied
    } else {
        &facts.holds
    }
    .relation(part.predicate);
    for index in candidates(part, relation, scope) {
        *effort = effort.saturating_sub(1);
        if *effort == 0 {
            return true;
        }
        let before = scope.len();
        let stop = bind(part, relation.row(index), symbols, scope)
            && each(others, symbols, facts, scope, effort, visit);
        scope.truncate(before);
        if stop {
            return true;
        }
    }
    false
}

fn candidates(part: &Part, relation: &Relation, scope: &Scope) -> std::ops::Range<usize> {
    match part
        .parameters
        .first()
        .and_then(|(variable, _)| value(scope, *variable))
    {
        Some(first) => relation.starting_with(first),
        None => 0..relation.len(),
    }
}

/// The value of a variable.
pub(super) fn value(scope: &Scope, variable: VariableId) -> Option<ObjectId> {
    scope
        .iter()
        .find(|(known, _)| *known == variable)
        .map(|(_, object)| *object)
}

fn bind(part: &Part, row: &[ObjectId], symbols: &Symbols, scope: &mut Scope) -> bool {
    for ((variable, kind), object) in part.parameters.iter().zip(row) {
        match value(scope, *variable) {
            Some(bound) if bound == *object => {}
            Some(_) => return false,
            None => {
                if !symbols.is_a(*object, *kind) || scope.iter().any(|(_, used)| used == object) {
                    return false;
                }
                scope.push((*variable, *object));
            }
        }
    }
    true
}
