//! Effects, flattened: every effect is one fact that is added or deleted, perhaps under a condition and for all
//! objects of some types.

use std::sync::Arc;

use super::domain::Predicate;
use super::error::PddlError;
use super::formula::{Atom, Formula, declared_atom, formula};
use super::sexpr::{Node, Sexpr};
use super::typed::{Typed, variables};

/// One fact that an action adds or deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Variables of the `forall` around it: it happens for all of their objects.
    pub forall: Vec<Typed>,
    /// When it happens: all of these hold before the action changes anything. Effects under one `when` share it.
    pub conditions: Vec<Arc<Formula>>,
    /// The fact.
    pub atom: Atom,
    /// The fact is added, not deleted.
    pub adds: bool,
}

/// What surrounds an effect.
#[derive(Clone, Default)]
struct Around {
    forall: Vec<Typed>,
    conditions: Vec<Arc<Formula>>,
}

/// Reads the effect of an action.
pub(super) fn effects(sexpr: &Sexpr<'_>, declared: &[Predicate]) -> Result<Vec<Effect>, PddlError> {
    let mut result = Vec::new();
    if !matches!(&sexpr.node, Node::List(items) if items.is_empty()) {
        collect(sexpr, declared, &Around::default(), &mut result)?;
    }
    Ok(result)
}

fn collect(
    sexpr: &Sexpr<'_>,
    declared: &[Predicate],
    around: &Around,
    result: &mut Vec<Effect>,
) -> Result<(), PddlError> {
    let (tag, rest) = sexpr.tagged("an effect")?;
    match (tag, rest) {
        ("and", parts) => parts
            .iter()
            .try_for_each(|part| collect(part, declared, around, result)),
        ("forall", [list, part]) => {
            let mut around = around.clone();
            around.forall.extend(variables(list)?);
            collect(part, declared, &around, result)
        }
        ("when", [condition, part]) => {
            let mut around = around.clone();
            around
                .conditions
                .push(Arc::new(formula(condition, declared)?));
            collect(part, declared, &around, result)
        }
        ("forall", _) => Err(sexpr.unexpected("(forall (VARIABLES) EFFECT)")),
        ("when", _) => Err(sexpr.unexpected("(when CONDITION EFFECT)")),
        // Costs change nothing that a player sees.
        ("increase", _) => Ok(()),
        ("decrease" | "assign" | "scale-up" | "scale-down", _) => Err(PddlError::Unsupported {
            at: sexpr.at,
            what: tag.to_owned(),
        }),
        ("not", [part]) => {
            result.push(effect(declared_atom(part, declared)?, false, around));
            Ok(())
        }
        _ => {
            result.push(effect(declared_atom(sexpr, declared)?, true, around));
            Ok(())
        }
    }
}

fn effect(atom: Atom, adds: bool, around: &Around) -> Effect {
    Effect {
        forall: around.forall.clone(),
        conditions: around.conditions.clone(),
        atom,
        adds,
    }
}
