//! A grammar joined with a task: names become numbers.

use std::collections::HashMap;

use super::condition::{Condition, Part, Predicate, VariableId, conjunction};
use super::document::Document;
use super::error::GrammarError;
use super::expression::{Attribute, Expression};
use super::text::{Item, Symbol, symbols};
use crate::logic::Task;

/// A part of a text.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(Box<str>),
    Rule(usize),
    Value(Value),
    /// The item once for each match of the condition.
    Each {
        item: Box<Piece>,
        given: Condition,
    },
    /// The same as a list with separators.
    List {
        item: Box<Piece>,
        given: Option<Condition>,
    },
}

/// An expression whose variables are numbers.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(Box<str>),
    /// Variables of that name, whatever their type: the last one bound counts.
    Entity(Box<str>, Box<[VariableId]>, Attribute),
    Sum(Vec<Value>),
    Or(Vec<Value>),
}

#[derive(Debug, Clone)]
pub(super) struct Alternative {
    pub(super) condition: Option<Condition>,
    pub(super) pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) alternatives: Vec<Alternative>,
}

#[derive(Debug, Clone)]
pub(super) struct ActionTexts {
    pub(super) template: Vec<Piece>,
    pub(super) feedback: Vec<Piece>,
    pub(super) parameters: Vec<VariableId>,
    /// The command of an operator is the same in every state.
    pub(super) fixed: bool,
}

/// The texts of one game.
#[derive(Debug, Clone)]
pub struct Grammar {
    pub(super) rules: Vec<Rule>,
    pub(super) actions: Vec<ActionTexts>,
    pub(super) intro: Vec<Piece>,
    pub(super) separators: Separators,
}

/// The rules that lists are written with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Separators {
    pub(super) empty: usize,
    pub(super) between: usize,
    pub(super) last: usize,
}

impl Grammar {
    /// Joins a grammar with a task.
    ///
    /// # Errors
    /// When an action of the task has no texts, or a text or condition cannot be read.
    pub fn new(document: &Document, task: &Task) -> Result<Self, GrammarError> {
        let mut compiler = Compiler {
            document,
            task,
            variables: Vec::new(),
            rules: Vec::new(),
            rule_ids: HashMap::new(),
        };
        let parameters: Vec<Vec<VariableId>> = task
            .actions()
            .map(|(_, parameters)| {
                parameters
                    .iter()
                    .map(|p| compiler.variable(&p.name, &p.kind))
                    .collect()
            })
            .collect();
        let intro = compiler.text("#intro#")?;
        let mut actions = Vec::with_capacity(parameters.len());
        for ((name, _), parameters) in task.actions().zip(parameters) {
            let Some(texts) = document.actions.get(name) else {
                return Err(GrammarError::MissingAction {
                    action: name.to_owned(),
                });
            };
            let template = compiler.text(&texts.template)?;
            let feedback = compiler.text(&texts.feedback)?;
            let fixed = template.iter().all(|piece| is_fixed(piece, task));
            actions.push(ActionTexts {
                template,
                feedback,
                parameters,
                fixed,
            });
        }
        let [empty, between, last] =
            ["list_empty", "list_separator", "list_last_separator"].map(|name| compiler.rule(name));
        compiler.finish_rules()?;
        compiler.resolve_names(&mut actions);
        let mut intro = intro;
        compiler.resolve_pieces(&mut intro);
        let rules = std::mem::take(&mut compiler.rules);
        Ok(Self {
            rules,
            actions,
            intro,
            separators: Separators {
                empty,
                between,
                last,
            },
        })
    }
}

/// Rules are free to change with the state; a list of fixed entities is not.
fn is_fixed(piece: &Piece, task: &Task) -> bool {
    let fixed = |condition: &Condition| condition.is_fixed(|predicate| task.changes(predicate));
    match piece {
        Piece::Text(_) | Piece::Value(_) => true,
        Piece::Rule(_) => false,
        Piece::Each { item, given } => is_fixed(item, task) && fixed(given),
        Piece::List { item, given } => is_fixed(item, task) && given.as_ref().is_none_or(fixed),
    }
}

struct Compiler<'a> {
    document: &'a Document,
    task: &'a Task,
    variables: Vec<(String, String)>,
    rules: Vec<Rule>,
    rule_ids: HashMap<String, usize>,
}

impl Compiler<'_> {
    fn variable(&mut self, name: &str, kind: &str) -> VariableId {
        let found = self
            .variables
            .iter()
            .position(|(known, of)| known == name && of == kind);
        let index = found.unwrap_or_else(|| {
            self.variables.push((name.to_owned(), kind.to_owned()));
            self.variables.len() - 1
        });
        VariableId::try_from(index).unwrap_or(VariableId::MAX)
    }

    /// The number of a rule; its text is read later, in `finish_rules`, and an unknown rule stays empty.
    fn rule(&mut self, name: &str) -> usize {
        if let Some(known) = self.rule_ids.get(name) {
            return *known;
        }
        self.rules.push(Rule {
            name: name.to_owned(),
            alternatives: Vec::new(),
        });
        self.rule_ids.insert(name.to_owned(), self.rules.len() - 1);
        self.rules.len() - 1
    }

    /// Reads the rules that are referred to, and those that they refer to.
    fn finish_rules(&mut self) -> Result<(), GrammarError> {
        let mut next = 0;
        while next < self.rules.len() {
            let document = self.document;
            for alternative in document
                .rules
                .get(&self.rules[next].name)
                .into_iter()
                .flatten()
            {
                let condition = match alternative.condition.as_str() {
                    "" => None,
                    text => Some(self.condition(&conjunction(text)?)),
                };
                let pieces = self.text(&alternative.rhs)?;
                self.rules[next]
                    .alternatives
                    .push(Alternative { condition, pieces });
            }
            next += 1;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<Vec<Piece>, GrammarError> {
        Ok(symbols(text)?
            .into_iter()
            .map(|symbol| self.piece(symbol))
            .collect())
    }

    fn piece(&mut self, symbol: Symbol) -> Piece {
        match symbol {
            Symbol::Text(text) => Piece::Text(text.into_boxed_str()),
            Symbol::Rule(name) => Piece::Rule(self.rule(&name)),
            Symbol::Each { item, given, list } => {
                let item = match item {
                    Item::Rule(name) => Piece::Rule(self.rule(&name)),
                    Item::Value(expression) => Piece::Value(value(expression)),
                };
                let given = given.map(|predicates| self.condition(&predicates));
                match (list, given) {
                    (true, given) => Piece::List {
                        item: Box::new(item),
                        given,
                    },
                    (false, Some(given)) => Piece::Each {
                        item: Box::new(item),
                        given,
                    },
                    (false, None) => item,
                }
            }
        }
    }

    fn condition(&mut self, predicates: &[Predicate]) -> Condition {
        let symbols = self.task.symbols();
        let mut parts = Some(Vec::with_capacity(predicates.len()));
        for predicate in predicates {
            let parameters: Vec<_> = predicate
                .parameters
                .iter()
                .map(|(name, kind)| (self.variable(name, kind), symbols.type_or_none(kind)))
                .collect();
            let (name, denied) = match predicate.name.strip_prefix("not_") {
                Some(name) => (name, true),
                None => (predicate.name.as_str(), false),
            };
            match (symbols.find_predicate(name, parameters.len()), &mut parts) {
                (Some(predicate), Some(parts)) => parts.push(Part {
                    predicate,
                    denied,
                    parameters,
                }),
                _ => parts = None,
            }
        }
        Condition { parts }
    }

    /// Expressions name variables without their type, so they are resolved once all variables are known.
    fn resolve_names(&mut self, actions: &mut [ActionTexts]) {
        for texts in actions {
            self.resolve_pieces(&mut texts.template);
            self.resolve_pieces(&mut texts.feedback);
        }
        let mut rules = std::mem::take(&mut self.rules);
        for alternative in rules.iter_mut().flat_map(|rule| &mut rule.alternatives) {
            self.resolve_pieces(&mut alternative.pieces);
        }
        self.rules = rules;
    }

    fn resolve_pieces(&self, pieces: &mut [Piece]) {
        for piece in pieces {
            match piece {
                Piece::Value(value) => self.resolve(value),
                Piece::Each { item, .. } | Piece::List { item, .. } => {
                    self.resolve_pieces(std::slice::from_mut(&mut **item));
                }
                Piece::Text(_) | Piece::Rule(_) => {}
            }
        }
    }

    fn resolve(&self, value: &mut Value) {
        match value {
            Value::Text(_) => {}
            Value::Entity(name, variables, _) => {
                let same_name = |(index, (known, _)): (usize, &(String, String))| {
                    (**known == **name)
                        .then(|| VariableId::try_from(index).unwrap_or(VariableId::MAX))
                };
                *variables = self
                    .variables
                    .iter()
                    .enumerate()
                    .filter_map(same_name)
                    .collect();
            }
            Value::Sum(parts) | Value::Or(parts) => {
                parts.iter_mut().for_each(|part| self.resolve(part))
            }
        }
    }
}

fn value(expression: Expression) -> Value {
    match expression {
        Expression::Text(text) => Value::Text(text.into_boxed_str()),
        Expression::Entity(name, attribute) => {
            Value::Entity(name.into_boxed_str(), Box::default(), attribute)
        }
        Expression::Sum(parts) => Value::Sum(parts.into_iter().map(value).collect()),
        Expression::Or(parts) => Value::Or(parts.into_iter().map(value).collect()),
    }
}
