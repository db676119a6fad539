//! Writing texts.

use super::compile::{Grammar, Piece, Value};
use super::condition::{Condition, Scope};
use super::error::RenderError;
use super::expression::Attribute;
use crate::logic::{ObjectId, Operator, Task, TextFacts};

/// How much one text may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderLimits {
    /// Longest text in bytes. Default 256 KiB.
    pub max_bytes: usize,
    /// Deepest nesting of rules. Default 64.
    pub max_depth: usize,
    /// Most rules and values written for one text. Default 100,000.
    pub max_expansions: usize,
    /// Most facts tried against the conditions of one text. Default 2 million.
    pub max_effort: usize,
}

impl Default for RenderLimits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 10,
            max_depth: 64,
            max_expansions: 100_000,
            max_effort: 2_000_000,
        }
    }
}

/// What a text speaks of.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The task.
    pub task: &'a Task,
    /// The facts now.
    pub facts: &'a TextFacts,
    /// The name of each object.
    pub names: &'a [String],
    /// Bounds on the text.
    pub limits: RenderLimits,
}

impl Grammar {
    /// The first text of an episode.
    ///
    /// # Errors
    /// When the grammar lacks a rule, or a limit is broken.
    pub fn intro(&self, world: World<'_>) -> Result<String, RenderError> {
        self.write(world, &self.intro, Scope::new())
    }

    /// The command that does something.
    ///
    /// # Errors
    /// When the grammar lacks a rule, or a limit is broken.
    pub fn command(&self, world: World<'_>, operator: &Operator) -> Result<String, RenderError> {
        self.write(
            world,
            &self.actions[operator.action()].template,
            self.scope(operator),
        )
    }

    /// Whether the command of an operator is the same in every state, so that it can be kept.
    #[must_use]
    pub fn is_command_fixed(&self, operator: &Operator) -> bool {
        self.actions[operator.action()].fixed
    }

    /// What is said after something was done.
    ///
    /// # Errors
    /// When the grammar lacks a rule, or a limit is broken.
    pub fn feedback(&self, world: World<'_>, operator: &Operator) -> Result<String, RenderError> {
        self.write(
            world,
            &self.actions[operator.action()].feedback,
            self.scope(operator),
        )
    }

    fn scope(&self, operator: &Operator) -> Scope {
        let parameters = &self.actions[operator.action()].parameters;
        parameters
            .iter()
            .copied()
            .zip(operator.arguments().iter().copied())
            .collect()
    }

    fn write(
        &self,
        world: World<'_>,
        pieces: &[Piece],
        mut scope: Scope,
    ) -> Result<String, RenderError> {
        let mut writer = Writer {
            grammar: self,
            world,
            text: String::with_capacity(64),
            expansions: 0,
            effort: world.limits.max_effort,
            depth: 0,
        };
        writer.pieces(pieces, &mut scope)?;
        Ok(writer.text)
    }
}

struct Writer<'a> {
    grammar: &'a Grammar,
    world: World<'a>,
    text: String,
    expansions: usize,
    effort: usize,
    depth: usize,
}

impl<'a> Writer<'a> {
    fn pieces(&mut self, pieces: &'a [Piece], scope: &mut Scope) -> Result<(), RenderError> {
        pieces.iter().try_for_each(|piece| self.piece(piece, scope))
    }

    fn piece(&mut self, piece: &'a Piece, scope: &mut Scope) -> Result<(), RenderError> {
        match piece {
            Piece::Text(text) => self.push(text),
            Piece::Rule(rule) => self.rule(*rule, scope),
            Piece::Value(value) => {
                self.count()?;
                self.value(value, scope)
            }
            Piece::Each { item, given } => self
                .matches(given, scope)?
                .iter_mut()
                .try_for_each(|scope| self.piece(item, scope)),
            Piece::List { item, given } => match given {
                None => self.piece(item, scope),
                Some(given) => self.list(item, given, scope),
            },
        }
    }

    fn rule(&mut self, index: usize, scope: &mut Scope) -> Result<(), RenderError> {
        self.count()?;
        let rule = &self.grammar.rules[index];
        if rule.alternatives.is_empty() {
            return Err(RenderError::UnknownRule {
                name: rule.name.clone(),
            });
        }
        let (task, facts) = (self.world.task, self.world.facts);
        let effort = &mut self.effort;
        let mut holds = |condition: &Condition| {
            condition.each(task.symbols(), facts, scope, effort, &mut |_| true)
        };
        let alternative = rule
            .alternatives
            .iter()
            .find(|a| a.condition.as_ref().is_none_or(&mut holds));
        self.tried()?;
        let Some(alternative) = alternative else {
            return Err(RenderError::NoAlternative {
                name: rule.name.clone(),
            });
        };
        if self.depth >= self.world.limits.max_depth {
            return Err(RenderError::TooLong {
                what: "nested rules",
                limit: self.world.limits.max_depth,
            });
        }
        self.depth += 1;
        self.pieces(&alternative.pieces, scope)?;
        self.depth -= 1;
        Ok(())
    }

    fn list(
        &mut self,
        item: &'a Piece,
        given: &Condition,
        scope: &mut Scope,
    ) -> Result<(), RenderError> {
        let mut scopes = self.matches(given, scope)?;
        let count = scopes.len();
        let separators = self.grammar.separators;
        if count == 0 {
            return self.rule(separators.empty, scope);
        }
        for (index, item_scope) in scopes.iter_mut().enumerate() {
            if index > 0 {
                self.rule(
                    if index + 1 == count {
                        separators.last
                    } else {
                        separators.between
                    },
                    scope,
                )?;
            }
            self.piece(item, item_scope)?;
        }
        Ok(())
    }

    fn matches(&mut self, given: &Condition, scope: &mut Scope) -> Result<Vec<Scope>, RenderError> {
        let limit = self.world.limits.max_expansions;
        let mut scopes: Vec<Scope> = Vec::new();
        let too_many = given.each(
            self.world.task.symbols(),
            self.world.facts,
            scope,
            &mut self.effort,
            &mut |found| {
                scopes.push(found.clone());
                scopes.len() > limit
            },
        );
        self.tried()?;
        if too_many {
            Err(RenderError::TooLong {
                what: "matches of a condition",
                limit,
            })
        } else {
            Ok(scopes)
        }
    }

    fn value(&mut self, value: &'a Value, scope: &Scope) -> Result<(), RenderError> {
        match value {
            Value::Text(text) => self.push(text),
            Value::Entity(name, variables, attribute) => {
                let bound = scope
                    .iter()
                    .rev()
                    .find(|(variable, _)| variables.contains(variable));
                let Some((_, object)) = bound else {
                    return Err(RenderError::NoValue {
                        name: name.to_string(),
                    });
                };
                self.push(self.attribute(*object, *attribute))
            }
            Value::Sum(parts) => parts.iter().try_for_each(|part| self.value(part, scope)),
            Value::Or(parts) => {
                let before = self.text.len();
                for part in parts {
                    self.value(part, scope)?;
                    if self.text.len() > before {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    fn attribute(&self, object: ObjectId, attribute: Attribute) -> &'a str {
        match attribute {
            Attribute::Name => &self.world.names[usize::from(object)],
            Attribute::Id => self.world.task.symbols().object_name(object),
            Attribute::Type => self.world.task.symbols().object_type(object),
            Attribute::Indefinite => "a",
            Attribute::Definite => "the",
        }
    }

    fn push(&mut self, text: &str) -> Result<(), RenderError> {
        let limit = self.world.limits.max_bytes;
        if self.text.len() + text.len() > limit {
            return Err(RenderError::TooLong {
                what: "bytes of a text",
                limit,
            });
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Refuses to go on when conditions took all the effort.
    fn tried(&self) -> Result<(), RenderError> {
        if self.effort > 0 {
            return Ok(());
        }
        Err(RenderError::TooLong {
            what: "facts tried",
            limit: self.world.limits.max_effort,
        })
    }

    fn count(&mut self) -> Result<(), RenderError> {
        let limit = self.world.limits.max_expansions;
        self.expansions += 1;
        if self.expansions > limit {
            Err(RenderError::TooLong {
                what: "expansions",
                limit,
            })
        } else {
            Ok(())
        }
    }
}
