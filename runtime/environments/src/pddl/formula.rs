//! Conditions.

use super::domain::Predicate;
use super::error::PddlError;
use super::sexpr::{Node, Sexpr};
use super::typed::{Typed, variables};

/// A predicate with its arguments: variables (`?x`) or names of objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atom {
    /// Name of the predicate, `=` for equality.
    pub predicate: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// A condition over facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// A fact holds.
    Atom(Atom),
    /// The part does not hold.
    Not(Box<Formula>),
    /// All parts hold; true when there is none.
    And(Vec<Formula>),
    /// One part holds; false when there is none.
    Or(Vec<Formula>),
    /// Some objects make the part hold.
    Exists(Vec<Typed>, Box<Formula>),
    /// All objects make the part hold.
    Forall(Vec<Typed>, Box<Formula>),
}

impl Formula {
    /// The condition that always holds.
    #[must_use]
    pub fn always() -> Self {
        Self::And(Vec::new())
    }
}

/// Reads a condition; `()` always holds.
pub(super) fn formula(sexpr: &Sexpr<'_>, declared: &[Predicate]) -> Result<Formula, PddlError> {
    if matches!(&sexpr.node, Node::List(items) if items.is_empty()) {
        return Ok(Formula::always());
    }
    let (tag, rest) = sexpr.tagged("a condition")?;
    let parts = || {
        rest.iter()
            .map(|part| formula(part, declared))
            .collect::<Result<Vec<_>, _>>()
    };
    match tag {
        "and" => Ok(Formula::And(parts()?)),
        "or" => Ok(Formula::Or(parts()?)),
        "not" => match rest {
            [part] => Ok(Formula::Not(Box::new(formula(part, declared)?))),
            _ => Err(sexpr.unexpected("(not CONDITION)")),
        },
        "imply" => match rest {
            [if_part, then_part] => Ok(Formula::Or(vec![
                Formula::Not(Box::new(formula(if_part, declared)?)),
                formula(then_part, declared)?,
            ])),
            _ => Err(sexpr.unexpected("(imply CONDITION CONDITION)")),
        },
        "exists" | "forall" => match rest {
            [list, part] => {
                let names = variables(list)?;
                let part = Box::new(formula(part, declared)?);
                Ok(if tag == "exists" {
                    Formula::Exists(names, part)
                } else {
                    Formula::Forall(names, part)
                })
            }
            _ => Err(sexpr.unexpected("(exists|forall (VARIABLES) CONDITION)")),
        },
        "<" | ">" | "<=" | ">=" | "preference" => Err(PddlError::Unsupported {
            at: sexpr.at,
            what: tag.to_owned(),
        }),
        _ => Ok(Formula::Atom(declared_atom(sexpr, declared)?)),
    }
}

/// Reads an atom of a declared predicate, or an equality.
pub(super) fn declared_atom(sexpr: &Sexpr<'_>, declared: &[Predicate]) -> Result<Atom, PddlError> {
    let atom = atom(sexpr)?;
    let expected = if atom.predicate == "=" {
        2
    } else {
        let predicate = declared
            .iter()
            .find(|predicate| predicate.name == atom.predicate);
        let unknown = || PddlError::UndeclaredPredicate {
            at: sexpr.at,
            name: atom.predicate.clone(),
        };
        predicate.ok_or_else(unknown)?.parameters.len()
    };
    if atom.arguments.len() == expected {
        Ok(atom)
    } else {
        let found = atom.arguments.len();
        Err(PddlError::WrongArity {
            at: sexpr.at,
            name: atom.predicate,
            expected,
            found,
        })
    }
}

/// Reads an atom without asking whether its predicate is declared.
pub(super) fn atom(sexpr: &Sexpr<'_>) -> Result<Atom, PddlError> {
    let (predicate, rest) = sexpr.tagged("a predicate")?;
    let arguments = rest
        .iter()
        .map(|item| item.word("a variable or an object").map(str::to_owned));
    Ok(Atom {
        predicate: predicate.to_owned(),
        arguments: arguments.collect::<Result<_, _>>()?,
    })
}
