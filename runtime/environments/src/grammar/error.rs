//! What can be wrong with a grammar, and with writing a text from it.

/// Why a grammar was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrammarError {
    /// The text is longer than the limit.
    #[error("the grammar has {bytes} bytes and the limit is {limit}; make it shorter")]
    TooLarge {
        /// Length of the text.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Something else was expected.
    #[error("line {line}: expected {expected}, found `{found}`")]
    Expected {
        /// Line in the grammar.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What stands there (its first characters).
        found: String,
    },
    /// The rules of a block are not JSON of the right shape.
    #[error("line {line}: the rules of this block are not {{\"name\": [{{\"rhs\": \"...\"}}]}}")]
    Rules {
        /// Line where the block starts.
        line: usize,
        /// What the JSON reader says.
        #[source]
        source: serde_json::Error,
    },
    /// A condition that cannot be read.
    #[error(
        "the condition `{condition}` cannot be read at `{rest}`; write predicate(name:type, ...) & ..."
    )]
    Condition {
        /// The condition.
        condition: String,
        /// Where reading stopped.
        rest: String,
    },
    /// An expression that cannot be read.
    #[error(
        "the expression `{expression}` cannot be read at `{rest}`; write names, attributes, 'texts', + and or"
    )]
    Expression {
        /// The expression.
        expression: String,
        /// Where reading stopped.
        rest: String,
    },
    /// An action of the domain without texts.
    #[error(
        "the action `{action}` has no template and feedback; add `action {action} {{ ... }}` to the grammar"
    )]
    MissingAction {
        /// The action.
        action: String,
    },
}

/// Why a text could not be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A rule that the grammar does not define.
    #[error("the grammar has no rule `#{name}#`; add it")]
    UnknownRule {
        /// The rule.
        name: String,
    },
    /// No alternative of a rule has a condition that holds.
    #[error("no alternative of the rule `#{name}#` applies; add one without a condition")]
    NoAlternative {
        /// The rule.
        name: String,
    },
    /// A variable without a value.
    #[error(
        "`{{{name}}}` has no value here; name a parameter of the action or a variable of the condition"
    )]
    NoValue {
        /// The variable.
        name: String,
    },
    /// A limit was reached.
    #[error("the text breaks the limit on {what} ({limit}); the grammar may refer to itself")]
    TooLong {
        /// On what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}
