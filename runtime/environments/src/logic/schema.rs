//! Actions: what applies now, and what it changes.

use std::collections::HashSet;

use super::compile::Compiler;
use super::error::LogicError;
use super::facts::{Facts, MAX_ARITY, TextFacts};
use super::query::{Binding, Conjunct, Pattern, Query};
use super::solve::Search;
use super::symbols::{ObjectId, PredicateId, Symbols, TypeId, too_many};
use crate::pddl::{Action, Effect, Formula};

/// Most parameters of an action.
pub const MAX_PARAMETERS: usize = 16;

/// Most things that can be done in one state.
const MAX_OPERATORS: usize = 100_000;

/// An action with its arguments: something that can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operator {
    action: u16,
    length: u8,
    arguments: [ObjectId; MAX_PARAMETERS],
}

impl Operator {
    /// The number of the action, in the order of the domain.
    #[must_use]
    pub fn action(&self) -> usize {
        usize::from(self.action)
    }

    /// The arguments, in the order of the parameters.
    #[must_use]
    pub fn arguments(&self) -> &[ObjectId] {
        &self.arguments[..usize::from(self.length)]
    }
}

/// A parameter of an action, without the `?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// The name of its type.
    pub kind: String,
}

/// One fact that an action adds or deletes.
#[derive(Debug, Clone)]
struct Change {
    forall: Vec<(u8, TypeId)>,
    /// `None` when it always happens.
    condition: Option<Conditions>,
    fact: Pattern,
    adds: bool,
}

#[derive(Debug, Clone)]
struct Conditions {
    /// When it happens.
    all: Query,
    /// The part about facts that no action changes: when it breaks, not even the text notes the effect.
    unchanging: Query,
}

/// An action schema, compiled.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub(super) name: String,
    pub(super) parameters: Vec<Parameter>,
    number: u16,
    precondition: Query,
    /// Whether an operator can come up more than once: by several alternatives, or by variables beside the parameters.
    repeats: bool,
    changes: Vec<Change>,
}

impl Schema {
    pub(super) fn compile(
        symbols: &mut Symbols,
        number: usize,
        action: &Action,
        changes: &dyn Fn(&str) -> bool,
    ) -> Result<Self, LogicError> {
        too_many(
            "parameters of an action",
            action.parameters.len(),
            MAX_PARAMETERS,
        )?;
        too_many("actions", number, 4096)?;
        let mut compiler = Compiler::new(symbols, &action.name);
        let declared = compiler.declare(&action.parameters)?;
        let mut precondition = compiler.query(&action.precondition)?;
        let repeats = precondition.alternatives.len() > 1
            || precondition
                .alternatives
                .iter()
                .any(|c| !c.variables.is_empty());
        for conjunct in &mut precondition.alternatives {
            conjunct.variables.splice(0..0, declared.iter().copied());
        }
        let compiled = action
            .effects
            .iter()
            .map(|effect| Change::compile(symbols, action, effect, changes));
        let changes = compiled.collect::<Result<_, _>>()?;
        let parameters = action.parameters.iter().map(|parameter| Parameter {
            name: parameter.name.trim_start_matches('?').to_owned(),
            kind: parameter.kind.clone(),
        });
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        Ok(Self {
            name: action.name.clone(),
            parameters: parameters.collect(),
            number,
            precondition,
            repeats,
            changes,
        })
    }

    /// Drops deletions of facts that can never hold: Fast Downward does not see them either.
    pub(super) fn drop_impossible(&mut self, can_hold: &dyn Fn(PredicateId) -> bool) {
        self.changes
            .retain(|change| change.adds || can_hold(change.fact.predicate));
    }

    /// Adds what can be done now.
    pub(super) fn applicable(
        &self,
        symbols: &Symbols,
        facts: &Facts,
        found: &mut Vec<Operator>,
    ) -> Result<(), LogicError> {
        let mut search = Search::new(symbols, facts);
        let mut seen = HashSet::new();
        for conjunct in &self.precondition.alternatives {
            search.each(conjunct, &mut |binding| {
                let operator = self.operator(binding);
                if self.has_effect(conjunct, binding) && (!self.repeats || seen.insert(operator)) {
                    found.push(operator);
                }
                found.len() > MAX_OPERATORS
            });
        }
        too_many("things that can be done", found.len(), MAX_OPERATORS)?;
        search.complete(())
    }

    fn operator(&self, binding: &Binding) -> Operator {
        let mut arguments = [0; MAX_PARAMETERS];
        let length = self.parameters.len();
        arguments[..length].copy_from_slice(&binding[..length]);
        Operator {
            action: self.number,
            length: u8::try_from(length).unwrap_or(u8::MAX),
            arguments,
        }
    }

    /// Whether anything could change: an operator that only states what its precondition states does not exist.
    fn has_effect(&self, conjunct: &Conjunct, binding: &Binding) -> bool {
        self.changes.iter().any(|change| {
            if !change.forall.is_empty() || change.condition.is_some() {
                return true;
            }
            let same = |pattern: &Pattern| same_fact(pattern, &change.fact, binding);
            if change.adds {
                !conjunct.positives.iter().any(same)
            } else {
                !conjunct.negatives.iter().any(same)
                    && !self
                        .changes
                        .iter()
                        .any(|other| other.adds && other.condition.is_none() && same(&other.fact))
            }
        })
    }

    /// Changes the facts, and the facts as the texts see them.
    pub(super) fn apply(
        &self,
        symbols: &Symbols,
        operator: &Operator,
        facts: &mut Facts,
        text: &mut TextFacts,
    ) -> Result<(), LogicError> {
        let mut happening = Vec::new();
        let mut noted = Vec::new();
        for change in &self.changes {
            let mut search = Search::new(symbols, facts);
            search.binding[..self.parameters.len()].copy_from_slice(operator.arguments());
            let collect = |binding: &Binding, list: &mut Vec<Instance>| {
                list.push(Instance::new(change, binding))
            };
            match &change.condition {
                None if change.forall.is_empty() => {
                    collect(&search.binding, &mut happening);
                    collect(&search.binding, &mut noted);
                }
                None => search.each_of(&change.forall, &Query::always(), &mut |binding| {
                    collect(binding, &mut happening);
                    collect(binding, &mut noted);
                    false
                }),
                Some(conditions) => {
                    search.each_of(&change.forall, &conditions.all, &mut |binding| {
                        collect(binding, &mut happening);
                        false
                    });
                    search.each_of(&change.forall, &conditions.unchanging, &mut |binding| {
                        collect(binding, &mut noted);
                        false
                    });
                }
            }
            search.complete(())?;
        }
        // Add wins over delete.
        for instance in happening.iter().filter(|instance| !instance.adds) {
            facts.remove(instance.predicate, instance.row());
        }
        for instance in happening.iter().filter(|instance| instance.adds) {
            facts.insert(instance.predicate, instance.row());
        }
        note(&noted, text);
        Ok(())
    }
}

/// The text notes additions first, and a deletion only where no unconditional addition of the same fact stands.
fn note(noted: &[Instance], text: &mut TextFacts) {
    let mut always = HashSet::new();
    for instance in noted.iter().filter(|instance| instance.adds) {
        text.insert(instance.predicate, instance.row());
        if instance.always {
            always.insert((instance.predicate, instance.row()));
        }
    }
    for instance in noted.iter().filter(|instance| !instance.adds) {
        if !always.contains(&(instance.predicate, instance.row())) {
            text.remove(instance.predicate, instance.row());
        }
    }
}

impl Change {
    fn compile(
        symbols: &mut Symbols,
        action: &Action,
        effect: &Effect,
        changes: &dyn Fn(&str) -> bool,
    ) -> Result<Self, LogicError> {
        let formula = Formula::And(
            effect
                .conditions
                .iter()
                .map(|part| Formula::clone(part))
                .collect(),
        );
        let mut compiler = Compiler::new(symbols, &action.name);
        compiler.declare(&action.parameters)?;
        let forall = compiler.declare(&effect.forall)?;
        let fact = compiler.pattern(&effect.atom)?;
        let condition = if effect.conditions.is_empty() {
            None
        } else {
            let all = compiler.query(&formula)?;
            let mut compiler = Compiler::new(symbols, &action.name).leaving_out(changes);
            compiler.declare(&action.parameters)?;
            compiler.declare(&effect.forall)?;
            Some(Conditions {
                all,
                unchanging: compiler.query(&formula)?,
            })
        };
        Ok(Self {
            forall,
            condition,
            fact,
            adds: effect.adds,
        })
    }
}

/// One change with its arguments.
struct Instance {
    predicate: PredicateId,
    row: [ObjectId; MAX_ARITY],
    length: usize,
    adds: bool,
    always: bool,
}

impl Instance {
    fn new(change: &Change, binding: &Binding) -> Self {
        let mut row = [0; MAX_ARITY];
        for (cell, term) in row.iter_mut().zip(&change.fact.terms) {
            *cell = term.value(binding);
        }
        let always = change.condition.is_none();
        Self {
            predicate: change.fact.predicate,
            row,
            length: change.fact.terms.len(),
            adds: change.adds,
            always,
        }
    }

    fn row(&self) -> &[ObjectId] {
        &self.row[..self.length]
    }
}

fn same_fact(left: &Pattern, right: &Pattern, binding: &Binding) -> bool {
    left.predicate == right.predicate
        && left
            .terms
            .iter()
            .zip(&right.terms)
            .all(|(left, right)| left.value(binding) == right.value(binding))
}
