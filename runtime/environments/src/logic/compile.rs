//! From PDDL conditions to queries: negation is pushed inwards, `or` is multiplied out, `exists` becomes
//! variables of the conjunct and `forall` a query that must have no solution.

use super::error::LogicError;
use super::query::{Conjunct, MAX_SLOTS, Pattern, Query, Term};
use super::symbols::{Symbols, TypeId, too_many};
use crate::pddl::{Atom, Formula, Typed};

/// Most literals that the conditions of one action, or the goal, may have over all alternatives.
const MAX_LITERALS: usize = 50_000;

/// Compiles the conditions of one action or of the goal.
pub(super) struct Compiler<'a> {
    symbols: &'a mut Symbols,
    place: &'a str,
    scope: Vec<(String, Term)>,
    slots: usize,
    literals: usize,
    /// Predicates that actions change, when only the others are to be compiled.
    leave_out: Option<&'a dyn Fn(&str) -> bool>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(symbols: &'a mut Symbols, place: &'a str) -> Self {
        Self {
            symbols,
            place,
            scope: Vec::new(),
            slots: 0,
            literals: 0,
            leave_out: None,
        }
    }

    /// Takes every literal of a predicate for true, and every `forall`.
    pub(super) fn leaving_out(mut self, changes: &'a dyn Fn(&str) -> bool) -> Self {
        self.leave_out = Some(changes);
        self
    }

    /// Brings variables into scope.
    pub(super) fn declare(&mut self, variables: &[Typed]) -> Result<Vec<(u8, TypeId)>, LogicError> {
        too_many(
            "variables in scope",
            self.slots + variables.len(),
            MAX_SLOTS,
        )?;
        let mut declared = Vec::with_capacity(variables.len());
        for variable in variables {
            let slot = u8::try_from(self.slots).unwrap_or(u8::MAX);
            let kind = self.symbols.type_or_none(&variable.kind);
            self.slots += 1;
            self.scope
                .push((variable.name.clone(), Term::Slot(slot, kind)));
            declared.push((slot, kind));
        }
        Ok(declared)
    }

    /// A condition over the variables in scope.
    pub(super) fn query(&mut self, formula: &Formula) -> Result<Query, LogicError> {
        let alternatives = self.alternatives(formula, false)?;
        for conjunct in &alternatives {
            too_many(
                "positive literals in one alternative",
                conjunct.positives.len(),
                63,
            )?;
        }
        Ok(Query { alternatives })
    }

    fn alternatives(
        &mut self,
        formula: &Formula,
        negated: bool,
    ) -> Result<Vec<Conjunct>, LogicError> {
        match formula {
            Formula::Not(part) => self.alternatives(part, !negated),
            Formula::Atom(atom) => self.literal(atom, negated),
            Formula::And(parts) if !negated => self.product(parts, negated),
            Formula::Or(parts) if negated => self.product(parts, negated),
            Formula::And(parts) | Formula::Or(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.alternatives(part, negated)?);
                }
                Ok(all)
            }
            Formula::Exists(variables, part) if !negated => self.exists(variables, part, false),
            Formula::Forall(variables, part) if negated => self.exists(variables, part, true),
            Formula::Exists(variables, part) | Formula::Forall(variables, part) => {
                let mut conjunct = Conjunct::default();
                let alternatives = self.exists(variables, part, !negated)?;
                for conjunct in &alternatives {
                    too_many(
                        "positive literals in one alternative",
                        conjunct.positives.len(),
                        63,
                    )?;
                }
                if self.leave_out.is_none() {
                    conjunct.nowhere.push(Query { alternatives });
                }
                Ok(vec![conjunct])
            }
        }
    }

    fn exists(
        &mut self,
        variables: &[Typed],
        part: &Formula,
        negated: bool,
    ) -> Result<Vec<Conjunct>, LogicError> {
        let outer = self.scope.len();
        let declared = self.declare(variables)?;
        let mut alternatives = self.alternatives(part, negated)?;
        self.scope.truncate(outer);
        for conjunct in &mut alternatives {
            conjunct.variables.extend(&declared);
        }
        Ok(alternatives)
    }

    fn product(&mut self, parts: &[Formula], negated: bool) -> Result<Vec<Conjunct>, LogicError> {
        let mut product = vec![Conjunct::default()];
        for part in parts {
            let alternatives = self.alternatives(part, negated)?;
            if let [one] = &alternatives[..] {
                self.count(product.len() * one.size())?;
                product.iter_mut().for_each(|conjunct| conjunct.absorb(one));
                continue;
            }
            let mut multiplied = Vec::with_capacity(product.len());
            for left in &product {
                for right in &alternatives {
                    self.count(left.size() + right.size())?;
                    let mut both = left.clone();
                    both.absorb(right);
                    multiplied.push(both);
                }
            }
            product = multiplied;
        }
        Ok(product)
    }

    fn literal(&mut self, atom: &Atom, negated: bool) -> Result<Vec<Conjunct>, LogicError> {
        self.count(1)?;
        let mut conjunct = Conjunct::default();
        if self
            .leave_out
            .is_some_and(|changes| changes(&atom.predicate))
        {
            return Ok(vec![conjunct]);
        }
        if let ("=", [left, right]) = (atom.predicate.as_str(), &atom.arguments[..]) {
            conjunct
                .equalities
                .push((self.term(left)?, self.term(right)?, !negated));
        } else if negated {
            conjunct.negatives.push(self.pattern(atom)?);
        } else {
            conjunct.positives.push(self.pattern(atom)?);
        }
        Ok(vec![conjunct])
    }

    /// A fact over the variables in scope.
    pub(super) fn pattern(&mut self, atom: &Atom) -> Result<Pattern, LogicError> {
        let terms = atom
            .arguments
            .iter()
            .map(|name| self.term(name))
            .collect::<Result<_, _>>()?;
        Ok(Pattern {
            predicate: self
                .symbols
                .intern_predicate(&atom.predicate, atom.arguments.len())?,
            terms,
        })
    }

    fn term(&self, name: &str) -> Result<Term, LogicError> {
        if let Some((_, term)) = self.scope.iter().rev().find(|(known, _)| known == name) {
            return Ok(*term);
        }
        let object = self.symbols.find_object(name);
        let unknown = || LogicError::UnknownName {
            place: self.place.to_owned(),
            name: name.to_owned(),
        };
        object.map(Term::Object).ok_or_else(unknown)
    }

    fn count(&mut self, literals: usize) -> Result<(), LogicError> {
        self.literals += literals.max(1);
        if self.literals > MAX_LITERALS {
            return Err(LogicError::TooComplex {
                place: self.place.to_owned(),
                limit: MAX_LITERALS,
            });
        }
        Ok(())
    }
}

impl Conjunct {
    fn size(&self) -> usize {
        self.positives.len() + self.negatives.len() + self.equalities.len() + self.nowhere.len()
    }

    fn absorb(&mut self, other: &Self) {
        self.variables.extend_from_slice(&other.variables);
        self.positives.extend_from_slice(&other.positives);
        self.negatives.extend_from_slice(&other.negatives);
        self.equalities.extend_from_slice(&other.equalities);
        self.nowhere.extend_from_slice(&other.nowhere);
    }
}
