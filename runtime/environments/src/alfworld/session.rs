//! One episode of a game.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::GameError;
use super::game::Game;
use crate::logic::{Facts, Operator, TextFacts};

/// What the official engine answers to a command that it does not understand or cannot do.
pub const NOTHING_HAPPENS: &str = "Nothing happens.";

/// The answer to one command.
#[derive(Debug, Clone, PartialEq)]
pub struct StepResult {
    /// The feedback.
    pub observation: String,
    /// The goal holds now.
    pub won: bool,
    /// The episode is over. The engine itself sets no limit on the number of steps, and plays on when asked to.
    pub done: bool,
    /// 1 when won, else 0.
    pub score: f32,
}

/// One episode of a game. A session plays as many episodes as are asked for, one after the other.
#[derive(Debug, Clone)]
pub struct Session {
    game: Arc<Game>,
    facts: Facts,
    text: TextFacts,
    /// What can be done now, with the command for each; computed when somebody asks.
    choices: Option<Vec<(Operator, Arc<str>)>>,
    /// Commands that are the same in every state.
    known: HashMap<Operator, Arc<str>>,
}

impl Session {
    /// A session at the start of an episode.
    #[must_use]
    pub fn new(game: Arc<Game>) -> Self {
        let (facts, text) = game.task().start();
        Self {
            game,
            facts,
            text,
            choices: None,
            known: HashMap::new(),
        }
    }

    /// The game that is played.
    #[must_use]
    pub fn game(&self) -> &Arc<Game> {
        &self.game
    }

    /// Starts an episode and returns its first text: banner, what is seen, and the task.
    ///
    /// # Errors
    /// When the game's grammar cannot write the text.
    pub fn reset(&mut self) -> Result<String, GameError> {
        (self.facts, self.text) = self.game.task().start();
        self.choices = None;
        Ok(self.game.grammar().intro(self.game.world(&self.text))?)
    }

    /// Does what a command says, or nothing when it is not one of [`admissible`](Self::admissible).
    ///
    /// # Errors
    /// When the game's grammar cannot write the answer or a command.
    pub fn step(&mut self, command: &str) -> Result<StepResult, GameError> {
        let command = command.trim();
        let found = self
            .choices()?
            .iter()
            .find(|(_, known)| **known == *command);
        let observation = match found.map(|(operator, _)| *operator) {
            None => NOTHING_HAPPENS.to_owned(),
            Some(operator) => {
                self.game
                    .task()
                    .apply(&operator, &mut self.facts, &mut self.text)
                    .map_err(GameError::Judge)?;
                self.choices = None;
                self.game
                    .grammar()
                    .feedback(self.game.world(&self.text), &operator)?
            }
        };
        let won = self.is_won()?;
        Ok(StepResult {
            observation,
            won,
            done: won,
            score: if won { 1.0 } else { 0.0 },
        })
    }

    /// Whether the goal holds now.
    ///
    /// # Errors
    /// When that takes too long to find out.
    pub fn is_won(&self) -> Result<bool, GameError> {
        self.game
            .task()
            .is_won(&self.facts)
            .map_err(GameError::Judge)
    }

    /// The commands that would do something now, sorted, each once.
    ///
    /// # Errors
    /// When the game's grammar cannot write a command.
    pub fn admissible(&mut self) -> Result<Vec<String>, GameError> {
        let mut commands: Vec<&str> = self
            .choices()?
            .iter()
            .map(|(_, command)| &**command)
            .collect();
        commands.sort_unstable();
        commands.dedup();
        Ok(commands.into_iter().map(str::to_owned).collect())
    }

    fn choices(&mut self) -> Result<&[(Operator, Arc<str>)], GameError> {
        if self.choices.is_none() {
            let operators = self
                .game
                .task()
                .applicable(&self.facts)
                .map_err(GameError::Judge)?;
            let mut choices = Vec::with_capacity(operators.len());
            for operator in operators {
                choices.push((operator, self.command(&operator)?));
            }
            self.choices = Some(choices);
        }
        Ok(self.choices.as_deref().unwrap_or_default())
    }

    fn command(&mut self, operator: &Operator) -> Result<Arc<str>, GameError> {
        if let Some(known) = self.known.get(operator) {
            return Ok(Arc::clone(known));
        }
        let grammar = self.game.grammar();
        let command: Arc<str> = grammar
            .command(self.game.world(&self.text), operator)?
            .into();
        if grammar.is_command_fixed(operator) {
            self.known.insert(*operator, Arc::clone(&command));
        }
        Ok(command)
    }
}
