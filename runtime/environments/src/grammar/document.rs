//! The blocks of a grammar file: rules in JSON, and the texts of each action.

use std::collections::HashMap;

use serde::Deserialize;

use super::error::GrammarError;

/// Longest grammar that is read.
const MAX_BYTES: usize = 4 << 20;

/// One alternative of a rule.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Alternative {
    pub(super) rhs: String,
    #[serde(default)]
    pub(super) condition: String,
}

/// The texts of one action.
#[derive(Debug, Clone, Default)]
pub(super) struct ActionTexts {
    pub(super) template: String,
    pub(super) feedback: String,
}

/// A grammar as written.
#[derive(Debug, Clone, Default)]
pub struct Document {
    pub(super) rules: HashMap<String, Vec<Alternative>>,
    /// By name in lower case.
    pub(super) actions: HashMap<String, ActionTexts>,
}

impl Document {
    /// Reads a grammar. A later rule replaces an earlier one of the same name.
    ///
    /// # Errors
    /// When it is too long, or is not a sequence of `grammar` and `action` blocks.
    pub fn parse(text: &str) -> Result<Self, GrammarError> {
        if text.len() > MAX_BYTES {
            return Err(GrammarError::TooLarge {
                bytes: text.len(),
                limit: MAX_BYTES,
            });
        }
        let mut reader = Reader { text, offset: 0 };
        let mut document = Self::default();
        loop {
            reader.skip_blank();
            if reader.rest().is_empty() {
                return Ok(document);
            } else if reader.take("grammar") {
                document.rules.extend(reader.rules(false)?);
            } else if reader.take("action") {
                document.read_action(&mut reader)?;
            } else {
                return Err(
                    reader.expected("`grammar :: \"\"\"...\"\"\";` or `action NAME { ... }`")
                );
            }
        }
    }

    fn read_action(&mut self, reader: &mut Reader<'_>) -> Result<(), GrammarError> {
        let name = reader.name()?.to_lowercase();
        reader.require("{", "`{`")?;
        let mut texts = ActionTexts::default();
        loop {
            if reader.take("}") {
                self.actions.insert(name, texts);
                return Ok(());
            } else if reader.take("template") {
                reader.quoted()?.clone_into(&mut texts.template);
            } else if reader.take("feedback") {
                reader.quoted()?.clone_into(&mut texts.feedback);
            } else if reader.take("grammar") {
                self.rules.extend(reader.rules(true)?);
            } else if reader.take("pddl") {
                reader.block()?;
            } else {
                return Err(reader.expected("`template`, `feedback`, `grammar`, `pddl` or `}`"));
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.offset..]
    }

    fn line(&self) -> usize {
        self.text[..self.offset].matches('\n').count() + 1
    }

    fn expected(&self, expected: &'static str) -> GrammarError {
        GrammarError::Expected {
            line: self.line(),
            expected,
            found: self.rest().chars().take(20).collect(),
        }
    }

    /// Skips white space and comments (`#` to the end of the line).
    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            self.offset += blank;
            if !self.rest().starts_with('#') {
                return;
            }
            let rest = self.rest();
            self.offset += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn take(&mut self, word: &str) -> bool {
        self.skip_blank();
        let found = self.rest().starts_with(word);
        if found {
            self.offset += word.len();
        }
        found
    }

    fn require(&mut self, word: &str, expected: &'static str) -> Result<(), GrammarError> {
        if self.take(word) {
            Ok(())
        } else {
            Err(self.expected(expected))
        }
    }

    fn name(&mut self) -> Result<&'a str, GrammarError> {
        self.skip_blank();
        let rest = self.rest();
        let in_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '-');
        let end = rest.find(|c| !in_name(c)).unwrap_or(rest.len());
        if end == 0 {
            return Err(self.expected("the name of an action"));
        }
        self.offset += end;
        Ok(&rest[..end])
    }

    fn delimited(&mut self, mark: &str, expected: &'static str) -> Result<&'a str, GrammarError> {
        self.require("::", "`::`")?;
        self.require(mark, expected)?;
        let rest = self.rest();
        let Some(end) = rest.find(mark) else {
            return Err(self.expected(expected));
        };
        self.offset += end + mark.len();
        self.require(";", "`;`")?;
        Ok(&rest[..end])
    }

    fn quoted(&mut self) -> Result<&'a str, GrammarError> {
        self.delimited("\"", "a text between two \"")
    }

    fn block(&mut self) -> Result<&'a str, GrammarError> {
        self.delimited("\"\"\"", "a text between two \"\"\"")
    }

    /// Rules in JSON; inside an action, lines that start with `#` are comments.
    fn rules(&mut self, comments: bool) -> Result<HashMap<String, Vec<Alternative>>, GrammarError> {
        let line = self.line();
        let block = self.block()?;
        let is_comment = |line: &str| line.trim_start().starts_with('#');
        let parsed = if comments && block.lines().any(is_comment) {
            let kept: Vec<&str> = block.lines().filter(|line| !is_comment(line)).collect();
            serde_json::from_str(&kept.join("\n"))
        } else {
            serde_json::from_str(block)
        };
        parsed.map_err(|source| GrammarError::Rules { line, source })
    }
}
