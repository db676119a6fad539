//! A domain and a problem, ready to be played.

use std::collections::HashSet;

use super::compile::Compiler;
use super::error::LogicError;
use super::facts::{Facts, TextFacts};
use super::query::Query;
use super::schema::{Operator, Parameter, Schema};
use super::solve::Search;
use super::symbols::{ObjectId, PredicateId, Symbols};
use crate::pddl::{Atom, Domain, Problem};

/// A planning task. It does not change; the facts of an episode live in [`Facts`].
///
/// ```
/// use stride_environments::logic::Task;
/// use stride_environments::pddl::{Domain, Limits, Problem};
///
/// let domain = Domain::parse(
///     "(define (domain lamp) (:predicates (on ?l) (off ?l))
///        (:action light :parameters (?l) :precondition (off ?l) :effect (and (on ?l) (not (off ?l)))))",
///     &Limits::default(),
/// )?;
/// let problem = "(define (problem one) (:domain lamp) (:objects red) (:init (off red)) (:goal (on red)))";
/// let task = Task::new(&domain, &Problem::parse(problem, &domain, &Limits::default())?)?;
///
/// let (mut facts, mut text) = task.start();
/// let operators = task.applicable(&facts)?;
/// assert!(!task.is_won(&facts)?);
/// task.apply(&operators[0], &mut facts, &mut text)?;
/// assert!(task.is_won(&facts)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Task {
    symbols: Symbols,
    schemas: Vec<Schema>,
    goal: Query,
    initial: Facts,
    mentioned: Vec<bool>,
    /// Per predicate: whether an action changes it.
    changes: Vec<bool>,
}

impl Task {
    /// Compiles a domain and a problem.
    ///
    /// # Errors
    /// When a name is unknown or declared twice, or something is larger than the compact representation holds.
    pub fn new(domain: &Domain, problem: &Problem) -> Result<Self, LogicError> {
        let mut symbols = Symbols::new(
            &domain.types,
            domain.constants.iter().chain(&problem.objects),
        )?;
        for predicate in &domain.predicates {
            symbols.intern_predicate(&predicate.name, predicate.parameters.len())?;
        }
        let effects = || domain.actions.iter().flat_map(|action| &action.effects);
        let changed: HashSet<&str> = effects()
            .map(|effect| effect.atom.predicate.as_str())
            .collect();
        let added: HashSet<&str> = effects()
            .filter(|e| e.adds)
            .map(|e| e.atom.predicate.as_str())
            .collect();
        let mut schemas = Vec::with_capacity(domain.actions.len());
        // An action without effects does not exist for the planner behind TextWorld.
        for action in domain
            .actions
            .iter()
            .filter(|action| !action.effects.is_empty())
        {
            schemas.push(Schema::compile(
                &mut symbols,
                schemas.len(),
                action,
                &|name| changed.contains(name),
            )?);
        }
        let goal = Compiler::new(&mut symbols, "the goal").query(&problem.goal)?;
        let mut mentioned = vec![false; symbols.object_count()];
        let initial = first_facts(&mut symbols, problem, &mut mentioned)?;
        let can_hold: Vec<bool> = (0..symbols.predicate_count())
            .map(|id| u16::try_from(id).is_ok_and(|id| !initial.relation(id).is_empty()))
            .collect();
        let can_hold =
            |id: u16| can_hold[usize::from(id)] || added.contains(symbols.predicate_name(id));
        schemas
            .iter_mut()
            .for_each(|schema| schema.drop_impossible(&can_hold));
        let changes = (0..symbols.predicate_count())
            .map(|id| {
                u16::try_from(id).is_ok_and(|id| changed.contains(symbols.predicate_name(id)))
            })
            .collect();
        Ok(Self {
            symbols,
            schemas,
            goal,
            initial,
            mentioned,
            changes,
        })
    }

    /// The facts at the start of an episode, and the same as the texts see them.
    #[must_use]
    pub fn start(&self) -> (Facts, TextFacts) {
        (
            self.initial.clone(),
            TextFacts::new(&self.symbols, self.initial.clone()),
        )
    }

    /// The names of the task.
    #[must_use]
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The names of the actions, in the order of [`Operator::action`].
    pub fn actions(&self) -> impl Iterator<Item = (&str, &[Parameter])> {
        self.schemas
            .iter()
            .map(|schema| (schema.name.as_str(), &schema.parameters[..]))
    }

    /// Whether a first fact speaks of the object. Others exist for the planner only: they have no name in the text.
    #[must_use]
    pub fn is_mentioned(&self, object: ObjectId) -> bool {
        self.mentioned[usize::from(object)]
    }

    /// Whether an action changes facts of the predicate.
    #[must_use]
    pub fn changes(&self, predicate: PredicateId) -> bool {
        self.changes[usize::from(predicate)]
    }

    /// Everything that can be done now, by action in the order of the domain.
    ///
    /// # Errors
    /// When that takes too long to find out, or is too much.
    pub fn applicable(&self, facts: &Facts) -> Result<Vec<Operator>, LogicError> {
        let mut found = Vec::new();
        for schema in &self.schemas {
            schema.applicable(&self.symbols, facts, &mut found)?;
        }
        Ok(found)
    }

    /// Does something that can be done.
    ///
    /// # Errors
    /// When the conditions of its effects take too long to judge; nothing has changed then.
    pub fn apply(
        &self,
        operator: &Operator,
        facts: &mut Facts,
        text: &mut TextFacts,
    ) -> Result<(), LogicError> {
        self.schemas[operator.action()].apply(&self.symbols, operator, facts, text)
    }

    /// Whether the goal holds.
    ///
    /// # Errors
    /// When that takes too long to find out.
    pub fn is_won(&self, facts: &Facts) -> Result<bool, LogicError> {
        let mut search = Search::new(&self.symbols, facts);
        let won = search.holds(&self.goal);
        search.complete(won)
    }
}

fn first_facts(
    symbols: &mut Symbols,
    problem: &Problem,
    mentioned: &mut [bool],
) -> Result<Facts, LogicError> {
    let mut rows: Vec<Vec<ObjectId>> = vec![Vec::new(); symbols.predicate_count()];
    let mut marks = vec![false; symbols.predicate_count()];
    for Atom {
        predicate,
        arguments,
    } in &problem.init
    {
        let predicate = usize::from(symbols.intern_predicate(predicate, arguments.len())?);
        if predicate >= rows.len() {
            rows.resize(predicate + 1, Vec::new());
            marks.resize(predicate + 1, false);
        }
        marks[predicate] = true;
        for name in arguments {
            let object = find(symbols, name)?;
            mentioned[usize::from(object)] = true;
            rows[predicate].push(object);
        }
    }
    for name in &problem.measured {
        mentioned[usize::from(find(symbols, name)?)] = true;
    }
    Ok(Facts::from_rows(symbols, rows, &marks))
}

fn find(symbols: &Symbols, name: &str) -> Result<ObjectId, LogicError> {
    let unknown = || LogicError::UnknownName {
        place: "the first facts".to_owned(),
        name: name.to_owned(),
    };
    symbols.find_object(name).ok_or_else(unknown)
}
